using System.CommandLine;
using System.Globalization;

namespace Llama2.Cli;

/// <summary>Every member of <see cref="GenerationOptions"/> as an option; what is not given stays the model's own setting.</summary>
internal sealed class GenerationArguments
{
    private static readonly (string, ContextOverflow)[] _overflows =
        [("throw", ContextOverflow.Throw), ("drop-oldest-turns", ContextOverflow.DropOldestTurns), ("truncate-left", ContextOverflow.TruncateLeft)];

    private readonly Option<bool?> _doSample = New<bool?>("--do-sample", "true|false", "Draw tokens at random; false takes the likeliest (default: true)");
    private readonly Option<float?> _temperature = New<float?>("--temperature", "T", "Divisor of the logits; 0 takes the likeliest (default: 0.6)");
    private readonly Option<float?> _topP = New<float?>("--top-p", "P", "Keep the likeliest tokens of this much probability (default: 0.9)");
    private readonly Option<int?> _topK = New<int?>("--top-k", "N", "Keep this many of the likeliest tokens; 0 keeps all (default: 0)");
    private readonly Option<float?> _minP = New<float?>("--min-p", "P", "Keep tokens of at least this share of the likeliest one's probability (default: 0)");
    private readonly Option<float?> _typicalP = New<float?>("--typical-p", "P", "Keep this much mass of locally typical tokens (default: 1)");
    private readonly Option<float?> _repetitionPenalty = New<float?>("--repetition-penalty", "X", "Factor against tokens that have occurred (default: 1)");
    private readonly Option<int?> _repetitionWindow = New<int?>("--repetition-window", "N", "How many last tokens it looks at; 0 is all (default: 0)");
    private readonly Option<float?> _presencePenalty = New<float?>("--presence-penalty", "X", "Subtracted from logits of tokens that were used (default: 0)");
    private readonly Option<float?> _frequencyPenalty = New<float?>("--frequency-penalty", "X", "Subtracted each time that a token was used (default: 0)");
    private readonly Option<int?> _noRepeatNgramSize = New<int?>("--no-repeat-ngram-size", "N", "Runs of so many tokens occur once; 0 allows all (default: 0)");
    private readonly Option<string[]> _logitBias = New<string[]>("--logit-bias", "ID=VALUE", "Add to the logit of a token; -inf forbids it (may be repeated)");
    private readonly Option<string[]> _badWord = New<string[]>("--bad-word", "TEXT", "A word that may not be generated (may be repeated)");
    private readonly Option<int?> _maxNewTokens = New<int?>("--max-new-tokens", "N", "The most tokens to generate (default: the rest of the context)");
    private readonly Option<int?> _minNewTokens = New<int?>("--min-new-tokens", "N", "Tokens before the end of text may come (default: 0)");
    private readonly Option<double?> _maxTime = New<double?>("--max-time", "SECONDS", "The longest time to generate");
    private readonly Option<bool?> _ignoreEos = New<bool?>("--ignore-eos", "true|false", "Pass over the end of text (default: false)");
    private readonly Option<long?> _seed = New<long?>("--seed", "N", "Seed of the random draws (default: a new one each time)");
    private readonly Option<string[]> _stop = New<string[]>("--stop", "TEXT", "A text that ends the answer and is not part of it (may be repeated)");
    private readonly Option<int[]> _stopToken = New<int[]>("--stop-token", "ID", "A token that ends the answer (may be repeated)");
    private readonly Option<ContextOverflow?> _contextOverflow = Choice.Option("--context-overflow", "What happens when the prompt does not fit", _overflows);
    private readonly Option<string[]> _choice = New<string[]>("--choice", "TEXT", "One of the texts that the answer has to be (repeat it for the others)");
    private readonly Option<string?> _regex = New<string?>("--regex", "PATTERN", "A regular expression that the whole answer has to match");
    private readonly Option<FileInfo?> _jsonSchema = New<FileInfo?>("--json-schema", "FILE", "A JSON schema that the answer has to satisfy");
    private readonly Option<bool> _jsonObject = new("--json-object") { Description = "The answer has to be a JSON object" };
    private readonly Option<bool?> _returnFullText = New<bool?>("--return-full-text", "true|false", "Begin the text with the prompt (default: false)");
    private readonly Option<int?> _logProbabilities = New<int?>("--logprobs", "N", "Score each token, with the N likeliest beside it (needs --json)");
    private readonly Option<bool?> _promptLogProbabilities = New<bool?>("--prompt-logprobs", "true|false", "Score the prompt's own tokens (needs --json)");

    /// <summary>Adds what makes sense for a chat.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])
            [
                _doSample, _temperature, _topP, _topK, _minP, _typicalP, _repetitionPenalty, _repetitionWindow, _presencePenalty, _frequencyPenalty,
                _noRepeatNgramSize, _logitBias, _badWord, _maxNewTokens, _minNewTokens, _maxTime, _ignoreEos, _seed, _stop, _stopToken, _contextOverflow,
            ])
        {
            command.Add(option);
        }
    }

    /// <summary>Adds what makes sense for a bare prompt: also its own text and the scores, which are only shown by <paramref name="json"/>.</summary>
    public void AddTo(Command command, Option<bool> json)
    {
        AddTo(command);
        command.Add(_choice);
        command.Add(_regex);
        command.Add(_jsonSchema);
        command.Add(_jsonObject);
        command.Add(_returnFullText);
        command.Add(_logProbabilities);
        command.Add(_promptLogProbabilities);
        command.Validators.Add(result =>
        {
            Option[] constraints = [_choice, _regex, _jsonSchema, _jsonObject];
            if (constraints.Count(option => result.GetResult(option) is { Implicit: false }) > 1)
            {
                result.AddError($"Give one of {string.Join(", ", constraints.Select(option => option.Name))}.");
            }

            if (!result.GetValue(json) && (result.GetValue(_logProbabilities) is not null || result.GetValue(_promptLogProbabilities) == true))
            {
                result.AddError($"{_logProbabilities.Name} and {_promptLogProbabilities.Name} need {json.Name}.");
            }
        });
    }

    /// <exception cref="UsageException">A value is out of range.</exception>
    public GenerationOptions Bind(ParseResult parse)
    {
        var options = new GenerationOptions
        {
            DoSample = parse.GetValue(_doSample),
            Temperature = parse.GetValue(_temperature),
            TopP = parse.GetValue(_topP),
            TopK = parse.GetValue(_topK),
            MinP = parse.GetValue(_minP),
            TypicalP = parse.GetValue(_typicalP),
            RepetitionPenalty = parse.GetValue(_repetitionPenalty),
            RepetitionWindow = parse.GetValue(_repetitionWindow),
            PresencePenalty = parse.GetValue(_presencePenalty),
            FrequencyPenalty = parse.GetValue(_frequencyPenalty),
            NoRepeatNgramSize = parse.GetValue(_noRepeatNgramSize),
            LogitBias = ParseBias(parse.GetValue(_logitBias)),
            BadWords = NullIfEmpty(parse.GetValue(_badWord)),
            MaxNewTokens = parse.GetValue(_maxNewTokens),
            MinNewTokens = parse.GetValue(_minNewTokens),
            MaxTime = ParseTime(parse.GetValue(_maxTime)),
            IgnoreEos = parse.GetValue(_ignoreEos),
            Seed = parse.GetValue(_seed),
            StopSequences = NullIfEmpty(parse.GetValue(_stop)),
            StopTokenIds = NullIfEmpty(parse.GetValue(_stopToken)),
            ContextOverflow = parse.GetValue(_contextOverflow),
            ReturnFullText = parse.GetValue(_returnFullText),
            LogProbabilities = parse.GetValue(_logProbabilities),
            PromptLogProbabilities = parse.GetValue(_promptLogProbabilities),
        };
        try
        {
            options.Constraint = ParseConstraint(parse);
            options.Validate();
        }
        catch (ArgumentException exception)
        {
            throw new UsageException(CommandLine.Describe(exception));
        }

        return options;
    }

    private static Option<T> New<T>(string name, string value, string description) => new(name) { HelpName = value, Description = description };

    private static T[]? NullIfEmpty<T>(T[]? values) => values is { Length: > 0 } ? values : null;

    /// <summary>A number; <c>-inf</c> is what everybody but .NET calls -Infinity.</summary>
    private static bool TryParse(string text, out float value)
    {
        value = float.NegativeInfinity;
        return text.Equals("-inf", StringComparison.OrdinalIgnoreCase) || float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }

    private GenerationConstraint? ParseConstraint(ParseResult parse) =>
        NullIfEmpty(parse.GetValue(_choice)) is { } choices ? GenerationConstraint.Choice(choices)
        : parse.GetValue(_regex) is { } pattern ? GenerationConstraint.Regex(pattern)
        : parse.GetValue(_jsonSchema) is { } file ? GenerationConstraint.JsonSchema(File.ReadAllText(file.FullName))
        : parse.GetValue(_jsonObject) ? GenerationConstraint.Json
        : null;

    private TimeSpan? ParseTime(double? seconds) => seconds switch
    {
        null => null,
        > 0 and < 1e9 => TimeSpan.FromSeconds(seconds.Value),
        _ => throw new UsageException($"{_maxTime.Name}: a number of seconds above 0 is expected, not {seconds.Value.ToString(CultureInfo.InvariantCulture)}."),
    };

    private Dictionary<int, float>? ParseBias(string[]? pairs)
    {
        if (pairs is null or { Length: 0 })
        {
            return null;
        }

        var bias = new Dictionary<int, float>();
        foreach (string pair in pairs)
        {
            string[] parts = pair.Split('=');
            if (parts.Length != 2
                || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                || !TryParse(parts[1], out float value))
            {
                throw new UsageException($"{_logitBias.Name}: ID=VALUE is expected, such as 29871=-2.5, not '{pair}'.");
            }

            bias[id] = value;
        }

        return bias;
    }
}
