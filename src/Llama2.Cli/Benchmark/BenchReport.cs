using System.Globalization;
using System.Text;

namespace Llama2.Cli;

/// <summary>What <c>llama2 bench</c> found.</summary>
internal sealed class BenchReport
{
    public required TimeSpan Load { get; init; }

    /// <summary>The system's part of the processor time of <see cref="Load"/>: most of it gives and clears memory.</summary>
    public required double LoadInSystem { get; init; }

    public required TimeSpan LoadToFirstToken { get; init; }

    /// <summary>From the start until all weights were in the kernels' order, or as near to it as the options allow; not before the first token.</summary>
    public required TimeSpan LoadToPacked { get; init; }

    /// <summary>The system's part of the processor time of <see cref="LoadToPacked"/>.</summary>
    public required double PackedInSystem { get; init; }

    public MachineSpeed Machine { get; set; }

    public List<BenchRow> Rows { get; } = [];

    public (double SecondTurn, double NewTokens)? SecondTurn { get; set; }

    public (TimeSpan Alone, TimeSpan Beside, TimeSpan Longest)? Beside { get; set; }

    public double AllocatedPerPass { get; set; }

    public double AllocatedPerToken { get; set; }

    /// <summary>The largest resident set of the process while the model worked.</summary>
    public long PeakMemory { get; set; }

    /// <summary>Bytes per second at which the weights can be read: the median of what the rows were held against.</summary>
    private double Reading => BenchRow.MedianOf([.. Rows.Select(row => row.Reading).OfType<double>()]);

    public string ToJson(BackendInfo info) => Json.Object(json =>
    {
        json.WriteString("runtime", $".NET {Environment.Version}");
        json.WriteString("kernels", info.Kernels);
        json.WriteNumber("threads", info.Threads);
        json.WriteString("weights", info.WeightFormats);
        json.WriteNumber("weight_bytes", info.WeightBytes);
        json.WriteNumber("read_gb_per_second", Reading / 1e9);
        json.WriteNumber("float_gmac_per_second", Machine.FloatProductsPerSecond / 1e9);
        json.WriteNumber("short_gmac_per_second", Machine.ShortProductsPerSecond / 1e9);
        json.WriteNumber("byte_gmac_per_second", Machine.ByteProductsPerSecond / 1e9);
        json.WriteNumber("nibble_gmac_per_second", Machine.NibbleProductsPerSecond / 1e9);
        json.WriteNumber("load_seconds", Load.TotalSeconds);
        json.WriteNumber("load_system_fraction", LoadInSystem);
        json.WriteNumber("load_to_first_token_seconds", LoadToFirstToken.TotalSeconds);
        json.WriteNumber("load_to_packed_seconds", LoadToPacked.TotalSeconds);
        json.WriteNumber("load_to_packed_system_fraction", PackedInSystem);
        json.WriteNumber("peak_memory_bytes", PeakMemory);
        json.WriteNumber("allocated_bytes_per_pass", AllocatedPerPass);
        json.WriteNumber("allocated_bytes_per_token", AllocatedPerToken);
        if (SecondTurn is { } turn)
        {
            json.WriteNumber("second_turn_fraction", turn.SecondTurn);
            json.WriteNumber("second_turn_new_tokens_fraction", turn.NewTokens);
        }

        if (Beside is { } beside)
        {
            json.WriteNumber("between_tokens_ms", beside.Alone.TotalMilliseconds);
            json.WriteNumber("between_tokens_beside_prompt_ms", beside.Beside.TotalMilliseconds);
            json.WriteNumber("longest_between_tokens_beside_prompt_ms", beside.Longest.TotalMilliseconds);
        }

        json.WriteStartArray("rows");
        foreach (BenchRow row in Rows)
        {
            json.WriteStartObject();
            json.WriteString("what", row.What);
            json.WriteNumber("tokens", row.Tokens);
            json.WriteNumber("batch", row.Batch);
            json.WriteNumber("tokens_per_second", row.Median);
            json.WriteNumber("slowest", row.Speeds.Min());
            json.WriteNumber("fastest", row.Speeds.Max());
            json.WriteNumber("fraction_of_floor", FractionOfFloor(row, info));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    public string ToText(BackendInfo info)
    {
        var text = new StringBuilder();
        Line($"{info.Kernels}, {info.Threads} threads, {info.WeightFormats}, .NET {Environment.Version}");
        Line($"machine: reads the weights at {Reading / 1e9:0.0} GB/s, multiplies {Machine.FloatProductsPerSecond / 1e9:0} G singles/s, {Machine.ShortProductsPerSecond / 1e9:0} G shorts/s, {Machine.ByteProductsPerSecond / 1e9:0} G bytes/s, {Machine.NibbleProductsPerSecond / 1e9:0} G nibbles/s");
        Line($"load {Load.TotalSeconds:0.00} s, to first token {LoadToFirstToken.TotalSeconds:0.00} s, all packed after {LoadToPacked.TotalSeconds:0.00} s (of the processor time {LoadInSystem:0 %} and {PackedInSystem:0 %} the system's, until loaded and until packed), peak memory {ByteSize.Format(PeakMemory)}, allocated per decoded token {AllocatedPerPass:0} bytes in the pass, {AllocatedPerToken:0} with engine and updates");
        Line($"{"",-8} {"tokens",6} {"batch",5} {"tokens/s",10} {"slowest",9} {"fastest",9} {"of the floor",12}");
        foreach (BenchRow row in Rows)
        {
            Line($"{row.What,-8} {row.Tokens,6} {row.Batch,5} {row.Median,10:0.00} {row.Speeds.Min(),9:0.00} {row.Speeds.Max(),9:0.00} {FractionOfFloor(row, info),12:0 %}");
        }

        if (SecondTurn is { } turn)
        {
            Line($"second turn: first token after {turn.SecondTurn:0.0 %} of the first turn's time; its new tokens are {turn.NewTokens:0.0 %}");
        }

        if (Beside is { } beside)
        {
            Line($"between two tokens: {beside.Alone.TotalMilliseconds:0.0} ms, beside a prompt {beside.Beside.TotalMilliseconds:0.0} ms, at most {beside.Longest.TotalMilliseconds:0.0} ms");
        }

        return text.ToString();

        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }

    /// <summary>How much of what the machine allows a speed uses; for a prompt by the format of most of the weights.</summary>
    private double FractionOfFloor(BenchRow row, BackendInfo info)
    {
        double most = row.Reading ?? (info.WeightFormats.Split(' ')[0] switch
        {
            "F16" or "BF16" => Machine.ShortProductsPerSecond,
            "Q8_0" => Machine.ByteProductsPerSecond,
            "Q4_0" or "Q4_K" or "Q5_K" or "Q6_K" => Machine.NibbleProductsPerSecond,
            _ => Machine.FloatProductsPerSecond,
        });
        return row.Median * row.Work / most;
    }
}
