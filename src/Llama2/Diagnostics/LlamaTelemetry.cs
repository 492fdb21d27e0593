using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Llama2;

/// <summary>Names under which traces and metrics appear, after OpenTelemetry's conventions for generative AI.</summary>
/// <remarks>
/// <para>
/// <c>tracing.AddSource(LlamaTelemetry.SourceName)</c> gives one span <c>chat {model}</c> per chat request, with the requested settings,
/// finish reason and token counts. Messages appear in it only while <see cref="LlamaModelOptions.EnableSensitiveData"/> is on.
/// </para>
/// <para>
/// <c>metrics.AddMeter(LlamaTelemetry.SourceName)</c> gives, per chat request, <c>gen_ai.client.operation.duration</c> (s) and
/// <c>gen_ai.client.token.usage</c> ({token}); per generation of the engine, <c>gen_ai.server.request.duration</c>,
/// <c>gen_ai.server.time_to_first_token</c>, <c>gen_ai.server.time_per_output_token</c> and <c>llama2.request.queue_time</c> (s),
/// <c>llama2.prompt.cached_tokens</c> ({token}); and as levels <c>llama2.requests.active</c>, <c>llama2.requests.queued</c> ({request})
/// and <c>llama2.prefix_cache.bytes</c> (By). Nothing is measured that nobody listens to.
/// </para>
/// </remarks>
public static class LlamaTelemetry
{
    /// <summary>The name of the <see cref="ActivitySource"/> and of the <see cref="Meter"/>.</summary>
    public const string SourceName = "Llama2";

    internal const string ProviderName = "llama2";

    internal static readonly ActivitySource Source = new(SourceName);

    internal static readonly Meter Meter = new(SourceName);

    // The bucket bounds are those that the conventions advise.
    private static readonly InstrumentAdvice<double> _requestSeconds = new()
    {
        HistogramBucketBoundaries = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
    };

    private static readonly InstrumentAdvice<double> _firstTokenSeconds = new()
    {
        HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    };

    private static readonly InstrumentAdvice<double> _tokenSeconds = new()
    {
        HistogramBucketBoundaries = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5],
    };

    private static readonly InstrumentAdvice<long> _tokens = new()
    {
        HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864],
    };

    internal static readonly Histogram<double> OperationDuration =
        Meter.CreateHistogram("gen_ai.client.operation.duration", "s", "Time of a chat request.", advice: _requestSeconds);

    internal static readonly Histogram<long> TokenUsage =
        Meter.CreateHistogram("gen_ai.client.token.usage", "{token}", "Tokens of a chat request.", advice: _tokens);

    internal static readonly Histogram<double> RequestDuration =
        Meter.CreateHistogram("gen_ai.server.request.duration", "s", "Time of a generation, waiting included.", advice: _requestSeconds);

    internal static readonly Histogram<double> TimeToFirstToken =
        Meter.CreateHistogram("gen_ai.server.time_to_first_token", "s", "Time from the request to its first token.", advice: _firstTokenSeconds);

    internal static readonly Histogram<double> TimePerOutputToken =
        Meter.CreateHistogram("gen_ai.server.time_per_output_token", "s", "Time of each token after the first.", advice: _tokenSeconds);

    internal static readonly Histogram<double> QueueTime =
        Meter.CreateHistogram("llama2.request.queue_time", "s", "Time from the request to its first forward pass.", advice: _firstTokenSeconds);

    internal static readonly Counter<long> CachedTokens =
        Meter.CreateCounter<long>("llama2.prompt.cached_tokens", "{token}", "Prompt tokens that an earlier sequence's cache supplied.");

    internal static readonly UpDownCounter<long> ActiveRequests =
        Meter.CreateUpDownCounter<long>("llama2.requests.active", "{request}", "Generations that run.");

    internal static readonly UpDownCounter<long> QueuedRequests =
        Meter.CreateUpDownCounter<long>("llama2.requests.queued", "{request}", "Generations that wait.");

    internal static readonly UpDownCounter<long> PrefixCacheBytes =
        Meter.CreateUpDownCounter<long>("llama2.prefix_cache.bytes", "By", "Bytes of the caches of ended sequences.");

    /// <summary>The finish reason as the conventions spell it.</summary>
    internal static string Name(GenerationFinishReason reason) => reason switch
    {
        GenerationFinishReason.Stop or GenerationFinishReason.StopSequence => "stop",
        GenerationFinishReason.Length => "length",
        GenerationFinishReason.Cancelled => "cancelled",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, null),
    };
}
