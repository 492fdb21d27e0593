using Microsoft.Extensions.Logging;

namespace Llama2;

/// <summary>Every log message of the library.</summary>
internal static partial class LlamaLog
{
    [LoggerMessage(1, LogLevel.Debug, "Loading the model at {Path}.")]
    public static partial void ModelLoading(this ILogger logger, string path);

    [LoggerMessage(2, LogLevel.Information,
        "Loaded {Model} from {Path} ({Layout}) in {Milliseconds} ms: {Formats}, {Bytes} bytes of weights, on {Device} with {Kernels} and {Threads} threads.")]
    public static partial void ModelLoaded(
        this ILogger logger, string model, string path, string layout, string formats, long bytes, string device, string kernels, int threads, long milliseconds);

    [LoggerMessage(3, LogLevel.Warning, "{Model} may run to {Context} tokens but was trained for {Trained}: what it says beyond them may be poor.")]
    public static partial void ContextBeyondTraining(this ILogger logger, string model, int context, int trained);

    [LoggerMessage(4, LogLevel.Information, "Loaded the adapter {Adapter} of {Model} from {Path}: rank {Rank}, {Parameters} parameters.")]
    public static partial void AdapterLoaded(this ILogger logger, string model, string adapter, string path, int rank, long parameters);

    [LoggerMessage(7, LogLevel.Information, "Unloaded the adapter {Adapter} of {Model}.")]
    public static partial void AdapterUnloaded(this ILogger logger, string model, string adapter);

    [LoggerMessage(5, LogLevel.Information, "{Model} is warm after {Milliseconds} ms.")]
    public static partial void WarmedUp(this ILogger logger, string model, long milliseconds);

    [LoggerMessage(6, LogLevel.Error, "The model at {Path} could not be warmed up; the next request tries again.")]
    public static partial void WarmUpFailed(this ILogger logger, Exception exception, string path);

    [LoggerMessage(10, LogLevel.Debug,
        "A request to {Model} ended ({FinishReason}): {PromptTokens} prompt tokens, {CachedTokens} of them cached, {CompletionTokens} generated; " +
        "waited {Queue}, first token after {FirstToken}, decoded for {Decode}.")]
    public static partial void RequestFinished(
        this ILogger logger, string model, GenerationFinishReason finishReason, int promptTokens, int cachedTokens, int completionTokens,
        TimeSpan queue, TimeSpan firstToken, TimeSpan decode);

    [LoggerMessage(11, LogLevel.Error, "A request to {Model} failed.")]
    public static partial void RequestFailed(this ILogger logger, Exception exception, string model);

    [LoggerMessage(12, LogLevel.Trace, "{Model} answered: {Text}")]
    public static partial void AnswerText(this ILogger logger, string model, string text);

    [LoggerMessage(13, LogLevel.Warning, "A prompt to {Model} did not fit the context: {Tokens} tokens were dropped from it.")]
    public static partial void PromptCut(this ILogger logger, string model, int tokens);

    [LoggerMessage(14, LogLevel.Trace, "{Model} gave up the cache of an ended sequence: {Tokens} tokens, {Bytes} bytes.")]
    public static partial void CacheEvicted(this ILogger logger, string model, int tokens, long bytes);
}
