using System.CommandLine;
using Llama2.Training;

namespace Llama2.Cli;

/// <summary>Learns a tokenizer from texts.</summary>
internal sealed class TrainTokenizerCommand : Command
{
    private static readonly TokenizerTrainerOptions _defaults = new();

    private readonly Argument<string[]> _files = new("FILES")
    {
        Description = "Texts: the lines of .txt files, the rows of .jsonl, .csv or .tsv files",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string> _output = new("--out") { Description = "The file to write, tokenizer.model by custom", HelpName = "FILE", Required = true };
    private readonly Option<bool> _force = new("--force") { Description = "Replace a file that exists" };
    private readonly Option<int> _size = New("--vocab-size", "N", "Ids in all: 3 special ones, 256 bytes, pieces", _defaults.VocabularySize);

    private readonly Option<double> _coverage = New(
        "--character-coverage", "X", "Share of all characters that get an id of their own", _defaults.CharacterCoverage);

    private readonly Option<int> _pieceLength = New("--max-piece-length", "N", "Characters of the longest piece", _defaults.MaximumPieceLength);
    private readonly Option<int> _pairCount = New("--min-pair-count", "N", "How often a pair occurs before it becomes a piece", _defaults.MinimumPairCount);
    private readonly Option<bool> _splitDigits = New("--split-digits", "true|false", "Every digit is a piece of its own", _defaults.SplitDigits);
    private readonly Option<bool> _splitLetters = New(
        "--split-letters-from-others", "true|false", "No piece mixes letters with other characters", _defaults.SplitLettersFromOthers);

    private readonly Option<bool> _spaceRuns = New("--allow-space-runs", "true|false", "Runs of spaces become pieces", _defaults.AllowSpaceRuns);
    private readonly Option<string> _textKey = New("--text-key", "KEY", "What the text of a row is called", "text");
    private readonly Option<string?> _answerKey = new("--ground-truth-key")
    {
        Description = "What a second text of a row is called, if it has one",
        HelpName = "KEY",
    };

    private readonly Option<BadRowPolicy?> _badRows = Choice.Option(
        "--bad-rows", "What a row that cannot be read does (default: fail)", ("fail", BadRowPolicy.Fail), ("skip", BadRowPolicy.Skip));

    private readonly Option<bool> _verbose = new("--verbose") { Description = "Show where an error comes from" };

    public TrainTokenizerCommand(Terminal terminal)
        : base("train-tokenizer", "Learns a tokenizer of Llama-2's kind from texts.")
    {
        Add(_files);
        foreach (Option option in (Option[])
            [_output, _force, _size, _coverage, _pieceLength, _pairCount, _splitDigits, _splitLetters, _spaceRuns, _textKey, _answerKey, _badRows, _verbose])
        {
            Add(option);
        }

        Add(HelpWithDetails.Option("""
            Byte-pair encoding with byte fallback; sentencepiece opens the file, and so does every command here. Rows that are conversations
            ({"messages": …}) give the text of each message. The same texts give the same bytes, whatever their order.
            """));
        SetAction((parse, cancellationToken) => RunAsync(parse, terminal, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parse, Terminal terminal, CancellationToken cancellationToken)
    {
        string output = parse.GetRequiredValue(_output);
        if (Directory.Exists(output) || (File.Exists(output) && !parse.GetValue(_force)))
        {
            throw new IOException(Directory.Exists(output) ? $"'{output}' is a folder." : $"'{output}' exists; {_force.Name} replaces it.");
        }

        if (Path.GetDirectoryName(Path.GetFullPath(output)) is { } folder && !Directory.Exists(folder))
        {
            throw new IOException($"'{folder}' does not exist.");
        }

        long texts = 0, characters = 0;
        LlamaTokenizer tokenizer = await Task.Run(() => Train(parse, Count, cancellationToken), cancellationToken);
        Llama2TokenizerTrainer.Save(tokenizer, output);
        int size = parse.GetValue(_size);
        if (tokenizer.VocabularySize < size)
        {
            terminal.Warn($"the texts have pairs for {tokenizer.VocabularySize:N0} ids only, not for {size:N0}");
        }

        terminal.Error.WriteLine($"{output}: {tokenizer.VocabularySize:N0} ids from {texts:N0} texts of {characters:N0} characters");
        return CommandLine.Success;

        void Count(string text) => (texts, characters) = (texts + 1, characters + text.Length);
    }

    private LlamaTokenizer Train(ParseResult parse, Action<string> count, CancellationToken cancellationToken)
    {
        var rows = new TrainingDataOptions
        {
            MaximumLength = int.MaxValue,
            TextKey = parse.GetRequiredValue(_textKey),
            GroundTruthKey = parse.GetValue(_answerKey),
            BadRows = parse.GetValue(_badRows) ?? BadRowPolicy.Fail,
        };
        var options = new TokenizerTrainerOptions
        {
            VocabularySize = parse.GetValue(_size),
            CharacterCoverage = parse.GetValue(_coverage),
            MaximumPieceLength = parse.GetValue(_pieceLength),
            MinimumPairCount = parse.GetValue(_pairCount),
            SplitDigits = parse.GetValue(_splitDigits),
            SplitLettersFromOthers = parse.GetValue(_splitLetters),
            AllowSpaceRuns = parse.GetValue(_spaceRuns),
        };
        try
        {
            return Llama2TokenizerTrainer.Train(Counted(TrainingTexts.Read(parse.GetRequiredValue(_files), rows)), options, cancellationToken);
        }
        catch (ArgumentException exception)
        {
            throw new UsageException(InOptions(CommandLine.Describe(exception)));
        }

        IEnumerable<string> Counted(IEnumerable<string> texts)
        {
            foreach (string text in texts)
            {
                count(text);
                yield return text;
            }
        }
    }

    /// <summary>A message of the library with the names that the user knows.</summary>
    private string InOptions(string message)
    {
        (string Property, Option Option)[] names =
        [
            (nameof(TokenizerTrainerOptions.VocabularySize), _size), (nameof(TokenizerTrainerOptions.CharacterCoverage), _coverage),
            (nameof(TokenizerTrainerOptions.MaximumPieceLength), _pieceLength), (nameof(TokenizerTrainerOptions.MinimumPairCount), _pairCount),
        ];
        return names.Aggregate(message, (text, name) => text.Replace(name.Property, name.Option.Name, StringComparison.Ordinal));
    }

    private static Option<T> New<T>(string name, string value, string description, T initial) =>
        new(name) { Description = description, HelpName = value, DefaultValueFactory = _ => initial };
}
