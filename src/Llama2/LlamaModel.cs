using System.Diagnostics;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Llama2;

/// <summary>A loaded Llama model: weights, tokenizer, engine.</summary>
/// <remarks>
/// Thread-safe; any number of callers share it. Nothing about it changes but the adapters that are loaded. Dispose it once nobody generates any more.
/// </remarks>
/// <example>
/// <code>
/// using LlamaModel model = LlamaModel.Load("Llama-2-7b-chat-hf");
/// using IChatClient client = model.AsIChatClient(leaveOpen: true);
/// Console.WriteLine(await client.GetResponseAsync("Why is the sky blue?"));
/// </code>
/// </example>
public sealed class LlamaModel : IDisposable
{
    private readonly Checkpoint _checkpoint;
    private readonly LlamaBackend _backend;
    private readonly LlamaTokenizer? _tokenizer;
    private readonly LlamaDiagnostics _diagnostics;
    private readonly ILogger _logger;
    private int _disposed;

    private LlamaModel(Checkpoint checkpoint, LlamaBackend backend, LlamaTokenizer? tokenizer, LlamaModelOptions options, ILoggerFactory? loggerFactory)
    {
        _logger = Logger(loggerFactory);
        (_checkpoint, _backend, _tokenizer, Options, LoggerFactory) = (checkpoint, backend, tokenizer, options, loggerFactory);
        ModelId = NameOf(checkpoint, options);
        _diagnostics = new LlamaDiagnostics(ModelId, options.EnableSensitiveData, loggerFactory);
        Engine = new LlamaEngine(backend, tokenizer, options, options.Generation.Or(checkpoint.GenerationDefaults), _diagnostics);
    }

    /// <summary>Gets the name of the model: the option, else the name of the folder or file.</summary>
    public string ModelId { get; }

    /// <summary>Gets the shape of the model.</summary>
    public LlamaConfig Config => _checkpoint.Config;

    /// <summary>Gets the most tokens of a sequence: the model's own context or the one that was asked for.</summary>
    public int ContextLength => _backend.ContextLength;

    /// <summary>Gets the options that the model was loaded with.</summary>
    public LlamaModelOptions Options { get; }

    /// <summary>Gets the tokenizer.</summary>
    /// <exception cref="InvalidOperationException">The checkpoint has none; token ids still work.</exception>
    public LlamaTokenizer Tokenizer => _tokenizer ??
        throw new InvalidOperationException($"{_checkpoint.Path} has no tokenizer (tokenizer.model or tokenizer.json); only token ids can be used.");

    /// <summary>Gets a value indicating whether the checkpoint has a tokenizer.</summary>
    public bool HasTokenizer => _tokenizer is not null;

    /// <summary>Gets the engine that all requests share; the model disposes it.</summary>
    public LlamaEngine Engine { get; }

    /// <summary>Gets what the backend really uses now.</summary>
    public BackendInfo Info => _backend.Info with { AdapterBytes = Engine.Adapters.ByteSize };

    /// <summary>Gets the names of the adapters that requests can choose now, in ordinal order.</summary>
    public IReadOnlyList<string> Adapters => Engine.Adapters.Names;

    internal LlamaBackend Backend => _backend;

    internal LlamaDiagnostics Diagnostics => _diagnostics;

    internal ILoggerFactory? LoggerFactory { get; }

    /// <summary>Loads a Hugging Face folder, a Meta folder or a <c>.gguf</c> file.</summary>
    /// <param name="path">The folder or file.</param>
    /// <param name="options">How to load and run it, or <see langword="null"/> for the defaults.</param>
    /// <param name="progress">Told after each tensor, on the calling thread.</param>
    /// <param name="loggerFactory">Where log messages go.</param>
    /// <exception cref="FileNotFoundException">Nothing is there.</exception>
    /// <exception cref="CheckpointException">What is there is not a Llama checkpoint, or a damaged one; or an adapter is damaged or does not fit it.</exception>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="UnknownAdapterException"><see cref="LlamaModelOptions.Generation"/> names an adapter that is not among those of the options.</exception>
    /// <exception cref="NotSupportedException">The backend of the options runs no adapters beside its weights.</exception>
    /// <exception cref="InsufficientMemoryException">The model cannot fit; the message has the figures.</exception>
    public static LlamaModel Load(string path, LlamaModelOptions? options = null, IProgress<LoadProgress>? progress = null, ILoggerFactory? loggerFactory = null) =>
        Load(Checkpoint.Open(path), options, progress, loggerFactory);

    /// <summary>Loads on another thread.</summary>
    /// <param name="path">The folder or file.</param>
    /// <param name="options">How to load and run it, or <see langword="null"/> for the defaults.</param>
    /// <param name="progress">Told after each tensor, on the loading thread unless it is a <see cref="Progress{T}"/>.</param>
    /// <param name="loggerFactory">Where log messages go.</param>
    /// <param name="cancellationToken">Seen between rows; everything is freed then.</param>
    /// <inheritdoc cref="Load(string, LlamaModelOptions, IProgress{LoadProgress}, ILoggerFactory)"/>
    public static Task<LlamaModel> LoadAsync(
        string path, LlamaModelOptions? options = null, IProgress<LoadProgress>? progress = null, ILoggerFactory? loggerFactory = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => Load(Checkpoint.Open(path), options, progress, loggerFactory, cancellationToken), cancellationToken);

    /// <summary>Loads from an open checkpoint.</summary>
    /// <param name="checkpoint">The checkpoint; the model owns it from now on, also when loading fails.</param>
    /// <param name="options">How to load and run it, or <see langword="null"/> for the defaults.</param>
    /// <param name="progress">Told after each tensor, on the calling thread.</param>
    /// <param name="loggerFactory">Where log messages go.</param>
    /// <param name="cancellationToken">Seen between rows; everything is freed then.</param>
    /// <inheritdoc cref="Load(string, LlamaModelOptions, IProgress{LoadProgress}, ILoggerFactory)"/>
    public static LlamaModel Load(
        Checkpoint checkpoint, LlamaModelOptions? options = null, IProgress<LoadProgress>? progress = null, ILoggerFactory? loggerFactory = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        long start = Stopwatch.GetTimestamp();
        ILogger logger = Logger(loggerFactory);
        LlamaBackend? backend = null;
        LlamaModel? model = null;
        try
        {
            logger.ModelLoading(checkpoint.Path);
            options ??= new LlamaModelOptions();
            options.Validate();
            options = options.Snapshot();
            AdapterFolders adapters = AdapterFolders.Read(checkpoint, options);
            if (options.CheckMemory && options.Backend is null)
            {
                CpuBackend.Estimate(adapters.Weights, options, adapters.ByteSize).ThrowIfAbove(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, checkpoint.Path);
            }

            LlamaTokenizer? tokenizer = checkpoint.LoadTokenizer();
            backend = (options.Backend ?? CpuBackend.Load)(adapters.Weights, options, progress, cancellationToken);
            model = new LlamaModel(checkpoint, backend, tokenizer, options, loggerFactory);
            foreach ((string name, LoraAdapter adapter) in adapters.ByName)
            {
                model.LoadAdapter(name, adapter, options.Adapters[name]);
            }

            BackendInfo info = model.Info;
            logger.ModelLoaded(
                model.ModelId, checkpoint.Path, checkpoint.Layout, info.WeightFormats, info.WeightBytes, info.Device, info.Kernels, info.Threads,
                (long)Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            if (model.ContextLength > checkpoint.Config.ContextLength)
            {
                logger.ContextBeyondTraining(model.ModelId, model.ContextLength, checkpoint.Config.ContextLength);
            }

            return model;
        }
        catch
        {
            if (model is not null)
            {
                model.Dispose();
            }
            else
            {
                backend?.Dispose();
                checkpoint.Dispose();
            }

            throw;
        }
    }

    /// <summary>Tells how much memory a load into the CPU backend would take, from the headers, and the adapters of the options, alone.</summary>
    /// <param name="path">A folder or file that <see cref="Load(string, LlamaModelOptions, IProgress{LoadProgress}, ILoggerFactory)"/> takes.</param>
    /// <param name="options">How it would be loaded.</param>
    /// <inheritdoc cref="Checkpoint.Open"/>
    public static MemoryEstimate EstimateMemory(string path, LlamaModelOptions? options = null)
    {
        using Checkpoint checkpoint = Checkpoint.Open(path);
        return EstimateMemory(checkpoint, options);
    }

    /// <summary>Tells how much memory a load into the CPU backend would take, from the headers, and the adapters of the options, alone.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="options">How it would be loaded.</param>
    public static MemoryEstimate EstimateMemory(Checkpoint checkpoint, LlamaModelOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        options ??= new LlamaModelOptions();
        options.Validate();
        AdapterFolders adapters = AdapterFolders.Read(checkpoint, options);
        return CpuBackend.Estimate(adapters.Weights, options, adapters.ByteSize);
    }

    /// <summary>Tells what the CPU backend would run on with these options: device, kernels and threads. No weights are read or counted.</summary>
    /// <param name="options">How a model would be loaded, or <see langword="null"/> for the defaults.</param>
    public static BackendInfo DescribeBackend(LlamaModelOptions? options = null)
    {
        options ??= new LlamaModelOptions();
        options.Validate();
        return CpuBackend.Describe(options);
    }

    /// <summary>Loads an adapter from a PEFT folder; requests choose it by <see cref="GenerationOptions.Adapter"/> from now on.</summary>
    /// <remarks>Thread-safe; requests that run go on meanwhile. The CPU backend holds the numbers in single precision; the folder is not needed afterwards.</remarks>
    /// <param name="name">What requests call it; upper and lower case are told apart.</param>
    /// <param name="path">The folder with <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>. Nothing in it is trusted.</param>
    /// <exception cref="ArgumentException">The name is empty or taken.</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="CheckpointException">A file is damaged, does not fit the model, or asks for what is not supported (DoRA, biases, …).</exception>
    /// <exception cref="NotSupportedException">The backend runs no adapters beside its weights.</exception>
    /// <exception cref="ObjectDisposedException">The model is disposed.</exception>
    public void LoadAdapter(string name, string path) => LoadAdapter(name, PeftFolder.Read(path, Config), path);

    /// <summary>Loads an adapter whose numbers are in memory, such as one that has just been trained; they are copied.</summary>
    /// <param name="name">What requests call it; upper and lower case are told apart.</param>
    /// <param name="adapter">The adapter.</param>
    /// <exception cref="ArgumentException">The name is empty or taken, or the adapter is of another shape than the model.</exception>
    /// <exception cref="NotSupportedException">The backend runs no adapters beside its weights.</exception>
    /// <exception cref="ObjectDisposedException">The model is disposed.</exception>
    public void LoadAdapter(string name, LoraAdapter adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        LoadAdapter(name, adapter, "memory");
    }

    /// <summary>Takes an adapter away from requests that begin from now on; those that run or wait keep it, and the last of them frees it. Thread-safe.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>Whether an adapter of that name was loaded.</returns>
    public bool UnloadAdapter(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        bool unloaded = Engine.Adapters.Unload(name);
        if (unloaded)
        {
            _logger.AdapterUnloaded(ModelId, name);
        }

        return unloaded;
    }

    /// <summary>Makes a chat client over this model. Thread-safe, stateless; any number of clients share the engine.</summary>
    /// <param name="leaveOpen">Whether the model stays open when the client is disposed.</param>
    /// <exception cref="InvalidOperationException">The checkpoint has no tokenizer.</exception>
    public IChatClient AsIChatClient(bool leaveOpen = false) => new LlamaChatClient(this, leaveOpen);

    /// <summary>Tells what a chat request would make the model read, without running it: prompt, ids, what is dropped, what is cached.</summary>
    /// <param name="messages">The conversation.</param>
    /// <param name="options">The options of the request.</param>
    /// <exception cref="ArgumentException">The conversation or an option is refused, as the request would be.</exception>
    /// <exception cref="NotSupportedException">A message or an option asks for what the model cannot do.</exception>
    /// <exception cref="InvalidOperationException">The checkpoint has no tokenizer.</exception>
    public ChatExplanation Explain(IEnumerable<ChatMessage> messages, ChatOptions? options = null) =>
        new LlamaChatClient(this, leaveOpen: true).Explain(messages, options);

    /// <summary>Ends the engine and frees everything; requests that still run fail with an <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            Engine.Dispose();
            _backend.Dispose();
            _checkpoint.Dispose();
            _diagnostics.Dispose();
        }
    }

    private void LoadAdapter(string name, LoraAdapter adapter, string source)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Engine.Adapters.Load(name, adapter);
        _logger.AdapterLoaded(ModelId, name, source, adapter.Options.Rank, adapter.ParameterCount);
    }

    private static ILogger Logger(ILoggerFactory? factory) => factory?.CreateLogger<LlamaModel>() ?? (ILogger)NullLogger.Instance;

    private static string NameOf(Checkpoint checkpoint, LlamaModelOptions options)
    {
        if (!string.IsNullOrEmpty(options.ModelId))
        {
            return options.ModelId;
        }

        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(checkpoint.Path));
        return name.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) ? name[..^5] : name;
    }
}
