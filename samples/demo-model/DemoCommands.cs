using System.Globalization;
using System.Text.Json;

namespace Llama2.DemoModel;

/// <summary>The command line: <c>generate</c>, <c>show</c>, <c>stats</c> and <c>train</c>.</summary>
internal static class DemoCommands
{
    public const string Usage = """
        Usage:
          generate --out FOLDER [--rows 200000] [--seed 1] [--split train|test]   writes SPLIT.jsonl and SPLIT.txt
                   [--task demo|topic] [--emotion-share 0.5] [--system-share 0.25] [--label-weights 1,1,1,1,1,1]
          show     [--rows 20] and the options above                              prints rows to read
          stats    FILE.jsonl [--tokenizer tokenizer.model]                       counts rows, labels, words and tokens
          train    --out FOLDER [--work demo-training] [--recipe FILE.json]       makes the model and a report of the training
        The weights of the labels stand in the order sadness, joy, love, anger, fear, surprise.
        A training that is stopped goes on from the folder --work when the same command is given again.
        """;

    /// <summary>Runs one command. Returns 0, 1 if it was stopped, or 2 after writing what is wrong with the arguments.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, TextWriter output, TextWriter error, CancellationToken cancellationToken = default)
    {
        try
        {
            switch (arguments.Count == 0 ? "" : arguments[0])
            {
                case "generate":
                    Generate(Options(arguments, 1), output, cancellationToken);
                    return 0;
                case "show":
                    Show(Options(arguments, 1), output);
                    return 0;
                case "stats" when arguments.Count > 1:
                    Statistics(arguments[1], Options(arguments, 2), output);
                    return 0;
                case "train":
                    await TrainAsync(Options(arguments, 1), output, cancellationToken).ConfigureAwait(false);
                    return 0;
                default:
                    error.WriteLine(Usage);
                    return 2;
            }
        }
        catch (OperationCanceledException)
        {
            error.WriteLine("Stopped.");
            return 1;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException or IOException or JsonException)
        {
            error.WriteLine(exception.Message);
            return 2;
        }
    }

    private static void Generate(Dictionary<string, string> options, TextWriter output, CancellationToken cancellationToken)
    {
        string folder = Take(options, "out") ?? throw new ArgumentException("--out FOLDER is missing.");
        CorpusOptions corpus = Corpus(options, 200_000);
        (string rows, string text) = CorpusWriter.Write(folder, corpus, cancellationToken);
        output.WriteLine($"{corpus.Rows.ToString("N0", CultureInfo.InvariantCulture)} rows: {rows}, {text}");
    }

    private static void Show(Dictionary<string, string> options, TextWriter output)
    {
        foreach (CorpusRow row in new CorpusGenerator(Corpus(options, 20)).Generate())
        {
            foreach (RowMessage message in row.Messages)
            {
                output.WriteLine($"[{message.Role}] {message.Content}");
            }

            output.WriteLine();
        }
    }

    private static void Statistics(string path, Dictionary<string, string> options, TextWriter output)
    {
        LlamaTokenizer? tokenizer = Take(options, "tokenizer") is { } file ? LlamaTokenizer.Load(file) : null;
        RejectRest(options);
        CorpusStatistics statistics = new(tokenizer is null ? null : text => tokenizer.CountTokens(text));
        foreach (string line in File.ReadLines(path))
        {
            statistics.Add(CorpusWriter.Read(line));
        }

        statistics.Print(output);
    }

    private static Task TrainAsync(Dictionary<string, string> options, TextWriter output, CancellationToken cancellationToken)
    {
        string folder = Take(options, "out") ?? throw new ArgumentException("--out FOLDER is missing."), work = Take(options, "work") ?? "demo-training";
        DemoRecipe recipe = Take(options, "recipe") is { } file ? DemoRecipe.Parse(File.ReadAllText(file)) : DemoRecipe.Embedded;
        RejectRest(options);
        return new DemoTrainer(recipe, work, output).RunAsync(folder, cancellationToken);
    }

    private static CorpusOptions Corpus(Dictionary<string, string> options, int rows)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        CorpusOptions corpus = new()
        {
            Rows = int.Parse(Take(options, "rows") ?? rows.ToString(culture), culture),
            Seed = ulong.Parse(Take(options, "seed") ?? "1", culture),
            Split = (Take(options, "split") ?? "train") switch
            {
                "train" => CorpusSplit.Train,
                "test" => CorpusSplit.Test,
                string other => throw new ArgumentException($"--split is 'train' or 'test', not '{other}'."),
            },
            Task = (Take(options, "task") ?? "demo") switch
            {
                "demo" => CorpusTask.Demo,
                "topic" => CorpusTask.Topic,
                string other => throw new ArgumentException($"--task is 'demo' or 'topic', not '{other}'."),
            },
            EmotionShare = double.Parse(Take(options, "emotion-share") ?? "0.5", culture),
            SystemShare = double.Parse(Take(options, "system-share") ?? "0.25", culture),
            LabelWeights = [.. (Take(options, "label-weights") ?? "1,1,1,1,1,1").Split(',').Select(weight => int.Parse(weight, culture))],
        };
        RejectRest(options);
        return corpus;
    }

    private static Dictionary<string, string> Options(IReadOnlyList<string> arguments, int from)
    {
        Dictionary<string, string> options = [];
        for (int i = from; i < arguments.Count; i += 2)
        {
            if (!arguments[i].StartsWith("--", StringComparison.Ordinal) || i + 1 == arguments.Count)
            {
                throw new ArgumentException($"'{arguments[i]}' is not an option with a value.");
            }

            options[arguments[i][2..]] = arguments[i + 1];
        }

        return options;
    }

    private static string? Take(Dictionary<string, string> options, string name) => options.Remove(name, out string? value) ? value : null;

    private static void RejectRest(Dictionary<string, string> options)
    {
        if (options.Count > 0)
        {
            throw new ArgumentException($"Unknown option --{options.Keys.First()}.");
        }
    }
}
