using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics;
using System.Globalization;

namespace Llama2.Cli;

/// <summary>Says how fast a model runs here, and how far that is from what this machine allows.</summary>
internal sealed class BenchCommand : Command
{
    private const string Details = """
        Every speed is the median of the repetitions behind others that are not counted, measured through the engine as any caller meets
        it, with random prompts, greedy choice and no prompt lookup. "of the floor" is how much a speed uses of what this machine allows, which is measured
        in the same run. Decoding reads every weight once per step: between its repetitions the same weights are read and nothing is done with them; several
        depths and batches take turns. A prompt multiplies every weight once per token: singles in registers for plain weights, our kernels of Q8_0 and Q4_0
        on operands in the first cache for those, so that it says what is lost around our own kernel; K-quants are held against that of Q4_0. Other programs
        that run meanwhile make all of it slower.
        """;

    private readonly ModelArguments _model = new();
    private readonly Lengths _prompt = new("--prompt", "Prompts to read, in tokens", 128, 512);
    private readonly Lengths _depth = new("--depth", "Tokens that are cached when decoding begins", 16);
    private readonly Lengths _batch = new("--batch", "Sequences that decode at the same time", 1, 8);
    private readonly Option<int> _decode = Number("--decode", "Tokens to decode", 32);
    private readonly Option<int> _repeat = Number("--repeat", "Repetitions of each measurement", 5);
    private readonly Option<double> _warmUp = Seconds("--warm-up", "Seconds of each measurement that are not counted, once at least", 2);
    private readonly Option<int> _secondTurn = new("--second-turn") { Description = "Also a chat whose first turn has so many tokens, and the time to the first token of its second", HelpName = "TOKENS" };
    private readonly Option<int> _beside = new("--beside") { Description = "Also the time between two tokens of a chat while a prompt of so many tokens is read", HelpName = "TOKENS" };
    private readonly Option<bool> _json = new("--json") { Description = "Print one JSON object" };

    public BenchCommand(Terminal terminal)
        : base("bench", "Measures how fast a model runs here, beside what the machine allows.")
    {
        _model.AddTo(this, takesDevice: false);                             // the floors are this processor's
        foreach (Option option in new Option[] { _prompt, _depth, _batch, _decode, _repeat, _warmUp, _secondTurn, _beside, _json })
        {
            Add(option);
        }

        Add(HelpWithDetails.Option(Details));
        SetAction((parse, cancellationToken) => RunAsync(parse, terminal, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parse, Terminal terminal, CancellationToken cancellationToken)
    {
        LlamaModelOptions options = _model.Bind(parse);
        options.PromptLookup = false;
        int[] prompts = _prompt.Of(parse), depths = _depth.Of(parse), batches = _batch.Of(parse);
        options.MaxConcurrentSequences = Math.Max(options.MaxConcurrentSequences, batches.Max());

        long start = Stopwatch.GetTimestamp();
        Environment.ProcessCpuUsage usage = Environment.CpuUsage;
        using LlamaModel model = await _model.LoadAsync(parse, options, terminal, cancellationToken);
        TimeSpan load = Stopwatch.GetElapsedTime(start);
        double loadInSystem = InSystem(usage);
        await foreach (GenerationUpdate update in model.Engine.GenerateAsync([.. Enumerable.Range(0, 16)], new() { MaxNewTokens = 1, IgnoreEos = true }, cancellationToken))
        {
        }

        TimeSpan firstToken = Stopwatch.GetElapsedTime(start);
        var benchmark = new EngineBenchmark(model, parse.GetValue(_repeat), TimeSpan.FromSeconds(parse.GetValue(_warmUp)));
        benchmark.WaitUntilPacked();
        var report = new BenchReport
        {
            Load = load,
            LoadInSystem = loadInSystem,
            LoadToFirstToken = firstToken,
            LoadToPacked = Stopwatch.GetElapsedTime(start),
            PackedInSystem = InSystem(usage),
        };
        report.AllocatedPerPass = benchmark.AllocationPerPass(Math.Min(parse.GetValue(_decode), model.ContextLength));
        foreach (int tokens in prompts)
        {
            terminal.Error.WriteLine($"prefill of {tokens} tokens");
            report.Rows.Add(await benchmark.PrefillAsync(tokens, cancellationToken));
        }

        terminal.Error.WriteLine($"decoding behind {string.Join(" and ", depths)} tokens, {string.Join(" and ", batches)} at a time");
        report.Rows.AddRange(await benchmark.DecodeAsync([.. from depth in depths from batch in batches select (depth, batch)], parse.GetValue(_decode), cancellationToken));

        if (parse.GetValue(_secondTurn) is > 0 and int turn)
        {
            terminal.Error.WriteLine($"second turn behind {turn} tokens");
            report.SecondTurn = await benchmark.SecondTurnAsync(turn, 16, cancellationToken);
        }

        if (parse.GetValue(_beside) is > 0 and int prompt)
        {
            terminal.Error.WriteLine($"a running chat beside a prompt of {prompt} tokens");
            report.Beside = await benchmark.BesideAsync(prompt, cancellationToken);
        }

        report.AllocatedPerToken = await benchmark.AllocationPerTokenAsync(parse.GetValue(_decode), cancellationToken);
        using (var process = Process.GetCurrentProcess())
        {
            report.PeakMemory = process.PeakWorkingSet64;                       // before the machine is measured, which takes memory of its own
        }

        terminal.Error.WriteLine("measuring the machine");
        report.Machine = MachineSpeed.Measure(model.Info.Threads);
        terminal.Output.Write(parse.GetValue(_json) ? report.ToJson(model.Info) + "\n" : report.ToText(model.Info));
        return CommandLine.Success;
    }

    /// <summary>An option that takes a number of at least 1.</summary>
    public static Option<int> Number(string name, string description, int value) =>
        WithDefault(name, description, "N", value, number => number >= 1, "at least 1 is needed");

    /// <summary>The system's part of the processor time that this process has used since.</summary>
    private static double InSystem(Environment.ProcessCpuUsage since)
    {
        Environment.ProcessCpuUsage now = Environment.CpuUsage;
        double all = (now.TotalTime - since.TotalTime).TotalSeconds;
        return all > 0 ? (now.PrivilegedTime - since.PrivilegedTime).TotalSeconds / all : 0;
    }

    private static Option<double> Seconds(string name, string description, double value) =>
        WithDefault(name, description, "SECONDS", value, seconds => seconds is >= 0 and <= 3600, "a number from 0 to 3600 is needed");

    private static Option<T> WithDefault<T>(string name, string description, string helpName, T value, Predicate<T> fits, string demand)
        where T : struct
    {
        var option = new Option<T>(name) { Description = description, HelpName = helpName, DefaultValueFactory = _ => value };
        option.Validators.Add(result =>
        {
            if (!fits(result.GetValueOrDefault<T>()))
            {
                result.AddError($"{name}: {demand}.");
            }
        });
        return option;
    }

    /// <summary>An option that takes numbers of at least 1 with commas between them.</summary>
    private sealed class Lengths : Option<int[]>
    {
        private readonly int[] _values;

        public Lengths(string name, string description, params int[] values)
            : base(name)
        {
            _values = values;
            Description = $"{description} [default: {Listed}]";               // the library's own would list them in another way than they are written
            HelpName = "N,N,…";
            CustomParser = Parse;
        }

        private string Listed => string.Join(',', _values);

        /// <summary>The numbers that were given, or the default.</summary>
        public int[] Of(ParseResult parse) => parse.GetValue(this) is { Length: > 0 } given ? given : _values;

        private int[]? Parse(ArgumentResult result)
        {
            string[] parts = result.Tokens.Count == 1 ? result.Tokens[0].Value.Split(',') : [];
            int[] numbers = [.. parts.Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : 0)];
            if (numbers.Length > 0 && numbers.All(number => number > 0))
            {
                return numbers;
            }

            result.AddError($"{Name}: numbers from 1, with commas between them, are expected, such as {Listed}.");
            return null;
        }
    }
}
