using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Llama2;

/// <summary>What one model's engine tells the outside: metrics and log messages. Thread-safe.</summary>
/// <remarks>Each request calls <see cref="Queued"/>, then <see cref="Started"/> unless it ends before, then one of the last two.</remarks>
internal sealed class LlamaDiagnostics(string modelId, bool enableSensitiveData, ILoggerFactory? loggerFactory) : IDisposable
{
    private const string Operation = "text_completion";          // the conventions' name for a prompt without roles

    private readonly KeyValuePair<string, object?> _model = new("gen_ai.request.model", modelId);
    private int _queued;
    private int _active;
    private long _prefixCacheBytes;

    public ILogger Logger { get; } = loggerFactory?.CreateLogger("Llama2.LlamaEngine") ?? (ILogger)NullLogger.Instance;

    /// <summary>Requests that wait now.</summary>
    public int QueuedRequests => Volatile.Read(ref _queued);

    /// <summary>Requests that run now.</summary>
    public int ActiveRequests => Volatile.Read(ref _active);

    /// <summary>A request was accepted and waits.</summary>
    public void Queued() => Wait(1);

    /// <summary>A request's first forward pass begins.</summary>
    public void Started()
    {
        Wait(-1);
        Run(1);
    }

    /// <summary>A request ended with a result, cancelled ones included.</summary>
    /// <param name="result">What it was.</param>
    /// <param name="started">Whether <see cref="Started"/> was called for it.</param>
    public void Completed(GenerationResult result, bool started = true)
    {
        Leave(started);
        Measure(result);
        if (result.DroppedPromptTokens > 0)
        {
            Logger.PromptCut(modelId, result.DroppedPromptTokens);
        }

        GenerationUsage usage = result.Usage;
        GenerationTimings timings = result.Timings;
        Logger.RequestFinished(
            modelId, result.FinishReason, usage.PromptTokens, usage.CachedPromptTokens, usage.CompletionTokens, timings.Queue, timings.FirstToken, timings.Decode);
        if (enableSensitiveData)
        {
            Logger.AnswerText(modelId, result.Text);
        }
    }

    /// <summary>A request ended with an error.</summary>
    /// <param name="exception">The error.</param>
    /// <param name="started">Whether <see cref="Started"/> was called for it.</param>
    public void Failed(Exception exception, bool started = true)
    {
        Leave(started);
        Logger.RequestFailed(exception, modelId);
    }

    /// <summary>The caches of ended sequences now occupy so many bytes.</summary>
    public void PrefixCacheSized(long bytes)
    {
        long before = Interlocked.Exchange(ref _prefixCacheBytes, bytes);
        if (bytes != before)
        {
            LlamaTelemetry.PrefixCacheBytes.Add(bytes - before, _model);
        }
    }

    /// <summary>The cache of an ended sequence was given up for want of room.</summary>
    public void CacheEvicted(int tokens, long bytes) => Logger.CacheEvicted(modelId, tokens, bytes);

    /// <summary>Takes what is left of this model out of the levels.</summary>
    public void Dispose()
    {
        PrefixCacheSized(0);
        Wait(-QueuedRequests);
        Run(-ActiveRequests);
    }

    private void Leave(bool started)
    {
        if (started)
        {
            Run(-1);
        }
        else
        {
            Wait(-1);
        }
    }

    private void Wait(int delta)
    {
        Interlocked.Add(ref _queued, delta);
        LlamaTelemetry.QueuedRequests.Add(delta, _model);
    }

    private void Run(int delta)
    {
        Interlocked.Add(ref _active, delta);
        LlamaTelemetry.ActiveRequests.Add(delta, _model);
    }

    private void Measure(GenerationResult result)
    {
        var tags = new TagList
        {
            { "gen_ai.operation.name", Operation },
            { "gen_ai.provider.name", LlamaTelemetry.ProviderName },
            _model,
        };
        GenerationTimings timings = result.Timings;
        int tokens = result.Usage.CompletionTokens;
        LlamaTelemetry.QueueTime.Record(timings.Queue.TotalSeconds, tags);
        if (tokens > 0)
        {
            LlamaTelemetry.RequestDuration.Record((timings.FirstToken + timings.Decode).TotalSeconds, tags);
            LlamaTelemetry.TimeToFirstToken.Record(timings.FirstToken.TotalSeconds, tags);
        }

        if (tokens > 1)
        {
            LlamaTelemetry.TimePerOutputToken.Record(timings.Decode.TotalSeconds / (tokens - 1), tags);
        }

        if (result.Usage.CachedPromptTokens > 0)
        {
            LlamaTelemetry.CachedTokens.Add(result.Usage.CachedPromptTokens, _model);
        }
    }
}
