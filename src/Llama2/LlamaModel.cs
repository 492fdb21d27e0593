using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;

namespace Llama2;

/// <summary>A loaded Llama model: weights, tokenizer, engine. Immutable and thread-safe; dispose it once nobody generates.</summary>
public sealed class LlamaModel : IDisposable
{
    /// <summary>Gets the name of the model.</summary>
    public string ModelId => throw new NotImplementedException();

    /// <summary>Gets the shape of the model.</summary>
    public LlamaConfig Config => throw new NotImplementedException();

    /// <summary>Gets the most tokens of a sequence: the model's own context or the one that was asked for.</summary>
    public int ContextLength => throw new NotImplementedException();

    /// <summary>Gets the options that the model was loaded with.</summary>
    public LlamaModelOptions Options => throw new NotImplementedException();

    /// <summary>Gets the tokenizer.</summary>
    /// <exception cref="InvalidOperationException">The checkpoint has none.</exception>
    public LlamaTokenizer Tokenizer => throw new NotImplementedException();

    /// <summary>Gets the engine that all requests share.</summary>
    public LlamaEngine Engine => throw new NotImplementedException();

    /// <summary>Gets what the backend really uses.</summary>
    public BackendInfo Info => throw new NotImplementedException();

    internal ILoggerFactory? LoggerFactory => throw new NotImplementedException();

    /// <summary>Loads a Hugging Face folder, a Meta folder or a <c>.gguf</c> file.</summary>
    public static LlamaModel Load(string path, LlamaModelOptions? options = null, IProgress<LoadProgress>? progress = null, ILoggerFactory? loggerFactory = null) => throw new NotImplementedException();

    /// <summary>Loads from an open checkpoint, which the model then owns.</summary>
    public static LlamaModel Load(Checkpoint checkpoint, LlamaModelOptions? options = null, IProgress<LoadProgress>? progress = null, ILoggerFactory? loggerFactory = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <summary>Loads on another thread.</summary>
    public static Task<LlamaModel> LoadAsync(string path, LlamaModelOptions? options = null, IProgress<LoadProgress>? progress = null, ILoggerFactory? loggerFactory = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <summary>Tells how much memory a load would take, from the headers alone.</summary>
    public static MemoryEstimate EstimateMemory(string path, LlamaModelOptions? options = null) => throw new NotImplementedException();

    /// <summary>A chat client over this model.</summary>
    /// <param name="leaveOpen">Whether the model stays open when the client is disposed.</param>
    public IChatClient AsIChatClient(bool leaveOpen = false) => new LlamaChatClient(this, leaveOpen);

    /// <summary>Tells what a chat request would make the model read, without running it: prompt, ids, what is dropped, what is cached.</summary>
    /// <param name="messages">The conversation.</param>
    /// <param name="options">The options of the request.</param>
    /// <exception cref="ArgumentException">The conversation or an option is refused, as the request would be.</exception>
    /// <exception cref="NotSupportedException">A message or an option asks for what the model cannot do.</exception>
    public ChatExplanation Explain(IEnumerable<ChatMessage> messages, ChatOptions? options = null) =>
        new LlamaChatClient(this, leaveOpen: true).Explain(messages, options);

    /// <inheritdoc/>
    public void Dispose() => throw new NotImplementedException();
}

/// <summary>How far a load is.</summary>
/// <param name="LoadedBytes">Bytes of tensors that are ready.</param>
/// <param name="TotalBytes">Bytes of all tensors.</param>
/// <param name="Tensor">The tensor that was read last.</param>
public readonly record struct LoadProgress(long LoadedBytes, long TotalBytes, string Tensor);

/// <summary>What a load takes.</summary>
/// <param name="WeightBytes">Bytes of the weights that are copied to memory.</param>
/// <param name="MappedBytes">Bytes of the weights that stay in the mapped file and that the system may drop and read again.</param>
/// <param name="CacheBytesPerToken">Bytes of keys and values per token of a sequence.</param>
/// <param name="ContextLength">The most tokens of a sequence.</param>
/// <param name="ActivationBytes">Bytes of the buffers of a forward pass.</param>
public sealed record MemoryEstimate(long WeightBytes, long MappedBytes, long CacheBytesPerToken, int ContextLength, long ActivationBytes)
{
    /// <summary>Gets the bytes of one sequence that fills the context.</summary>
    public long FullContextCacheBytes => CacheBytesPerToken * ContextLength;

    /// <summary>Gets the bytes that the process needs of its own with one full context.</summary>
    public long TotalBytes => WeightBytes + ActivationBytes + FullContextCacheBytes;
}
