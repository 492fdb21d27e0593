using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>How a model is loaded and run. Bindable from configuration.</summary>
public sealed class LlamaModelOptions
{
    /// <summary>Gets or sets the name under which the model is known to callers and telemetry.</summary>
    /// <value>The default, <see langword="null"/>, is the name of the folder or file.</value>
    public string? ModelId { get; set; }

    /// <summary>Gets or sets the format that matrices are converted to while they are read.</summary>
    /// <value>
    /// <c>F32</c>, <c>F16</c>, <c>BF16</c>, <c>Q8_0</c> or <c>Q4_0</c>; a matrix whose rows are no multiple of 32 weights becomes <c>F16</c> instead
    /// of a block format. The default, <see langword="null"/>, keeps them as stored.
    /// </value>
    public WeightFormat? WeightFormat { get; set; }

    /// <summary>Gets or sets when the CPU's weights are brought into the order of its kernels.</summary>
    /// <value>The default is <see cref="WeightRepacking.InBackground"/>. Weights that are converted are packed while they are loaded, whatever this says.</value>
    public WeightRepacking Repack { get; set; }

    /// <summary>Gets or sets the format of the key-value cache on the CPU.</summary>
    /// <value>
    /// <c>F32</c>, <c>F16</c> or <c>Q8_0</c>, half as large as <c>F16</c> for a small loss. The default, <see langword="null"/>, is <c>F32</c> for a
    /// model whose weights are held as <c>F32</c> and <c>F16</c> for every other.
    /// </value>
    public WeightFormat? CacheFormat { get; set; }

    /// <summary>Gets or sets the most tokens of a sequence.</summary>
    /// <value>At least 1. The default, <see langword="null"/>, is the model's own context length.</value>
    public int? ContextLength { get; set; }

    /// <summary>Gets or sets the threads that work on a forward pass.</summary>
    /// <value>At least 1. The default, <see langword="null"/>, is the number of processors.</value>
    public int? Threads { get; set; }

    /// <summary>Gets or sets the bytes that caches of ended sequences may occupy, so that later requests continue from them.</summary>
    /// <value>0 switches all reuse off, also that of a beginning which a running sequence has read. The default, <see langword="null"/>, is room for two full contexts, at most a quarter of the memory.</value>
    public long? PrefixCacheBytes { get; set; }

    /// <summary>Gets or sets how many sequences run at the same time; further requests wait in order.</summary>
    /// <value>At least 1. The default is 16.</value>
    public int MaxConcurrentSequences { get; set; } = 16;

    /// <summary>Gets or sets how many requests may wait before further ones are refused.</summary>
    /// <value>At least 0. The default is 1024.</value>
    public int MaxQueuedRequests { get; set; } = 1024;

    /// <summary>Gets or sets the most tokens of one forward pass; longer prompts are taken in chunks of it, and cancellation is seen between them.</summary>
    /// <value>At least 1. The default is 128. No more sequences run at a time than a pass has tokens.</value>
    public int BatchTokens { get; set; } = 128;

    /// <summary>Gets or sets a value indicating whether tokens are guessed from the prompt and the text so far, and checked several at a time.</summary>
    /// <value>
    /// The default, <see langword="true"/>, makes summaries, quotations and code faster and changes no text: every token is drawn as without it.
    /// Guessing pauses where it is not right, and while many sequences run.
    /// </value>
    public bool PromptLookup { get; set; } = true;

    /// <summary>Gets or sets settings that apply where a request names none, before the model's own <c>generation_config.json</c>.</summary>
    public GenerationOptions Generation { get; set; } = new();

    /// <summary>Gets or sets adapters that are loaded with the model: the PEFT folder of each by the name under which requests choose it.</summary>
    /// <value>The default is none. <see cref="LlamaModel.LoadAdapter(string, string)"/> loads further ones.</value>
    /// <seealso cref="GenerationOptions.Adapter"/>
    public IDictionary<string, string> Adapters { get; set; } = new Dictionary<string, string>();

    /// <summary>Gets or sets the PEFT folder of an adapter that is added to the weights while they are read: nothing then runs slower for it.</summary>
    /// <value>
    /// The default is none. The sum is rounded to the format of the weights, K-quants to <c>Q8_0</c>, and is copied to memory where the weights
    /// themselves would stay in the mapped file. Adapters chosen by name stand beside the sum.
    /// </value>
    public string? MergedAdapter { get; set; }

    /// <summary>Gets or sets what happens with a setting that nobody knows.</summary>
    /// <value>The default is <see cref="SettingsValidation.Strict"/>.</value>
    public SettingsValidation SettingsValidation { get; set; } = SettingsValidation.Strict;

    /// <summary>Gets or sets a value indicating whether prompts and answers may appear in logs and traces.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool EnableSensitiveData { get; set; }

    /// <summary>Gets or sets a value indicating whether memory is checked before a load.</summary>
    /// <value>The default, <see langword="true"/>, refuses a load that cannot fit.</value>
    public bool CheckMemory { get; set; } = true;

    // Set by methods, so that what binds configuration, source generators included, sees only what configuration can hold.
    internal LlamaBackendLoader? Backend { get; private set; }

    internal IChatTemplate? ChatTemplate { get; private set; }

    internal Func<IReadOnlyList<AIFunctionDeclaration>, string>? ToolPrompt { get; private set; }

    /// <summary>Makes another backend than the CPU's hold the weights and run the forward pass. It checks memory by itself.</summary>
    /// <param name="loader">Loads it.</param>
    /// <returns>These options.</returns>
    public LlamaModelOptions UseBackend(LlamaBackendLoader loader)
    {
        ArgumentNullException.ThrowIfNull(loader);
        Backend = loader;
        return this;
    }

    /// <summary>Makes chats use another format than <see cref="Llama2ChatTemplate"/>.</summary>
    /// <param name="template">The format.</param>
    /// <returns>These options.</returns>
    public LlamaModelOptions UseChatTemplate(IChatTemplate template)
    {
        ArgumentNullException.ThrowIfNull(template);
        ChatTemplate = template;
        return this;
    }

    /// <summary>Replaces what the model is told about the functions that it may call; it stands in the system message.</summary>
    /// <remarks>
    /// The form of a call stays: <c>&lt;call&gt;{"name": "function", "arguments": {…}}&lt;/call&gt;</c>, one right after the other; results come back
    /// as <c>&lt;result&gt;…&lt;/result&gt;</c> in the user's turn. The text should say so.
    /// </remarks>
    /// <param name="write">Makes the text from the functions that a request offers. Called from any thread.</param>
    /// <returns>These options.</returns>
    public LlamaModelOptions UseToolPrompt(Func<IReadOnlyList<AIFunctionDeclaration>, string> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        ToolPrompt = write;
        return this;
    }

    /// <summary>Checks every value against its range.</summary>
    /// <exception cref="ArgumentException">A value is out of range; the message names it.</exception>
    internal void Validate()
    {
        AtLeast(ContextLength ?? 1, 1, nameof(ContextLength));
        AtLeast(Threads ?? 1, 1, nameof(Threads));
        AtLeast(PrefixCacheBytes ?? 0, 0, nameof(PrefixCacheBytes));
        AtLeast(MaxConcurrentSequences, 1, nameof(MaxConcurrentSequences));
        AtLeast(MaxQueuedRequests, 0, nameof(MaxQueuedRequests));
        AtLeast(BatchTokens, 1, nameof(BatchTokens));
        ArgumentNullException.ThrowIfNull(Generation);
        Generation.Validate();
        ArgumentNullException.ThrowIfNull(Adapters);
        foreach ((string name, string path) in Adapters)
        {
            if (string.IsNullOrWhiteSpace(name) || string.IsNullOrWhiteSpace(path))
            {
                throw new ArgumentException($"Adapters: '{name}' is at '{path}'; an adapter has a name and the path of its PEFT folder.", nameof(Adapters));
            }
        }

        if (!Enum.IsDefined(SettingsValidation))
        {
            throw new ArgumentException($"SettingsValidation is {SettingsValidation}; it must be Strict, Warn or Ignore.", nameof(SettingsValidation));
        }

        if (WeightFormat is not (null or Llama2.WeightFormat.F32 or Llama2.WeightFormat.F16 or Llama2.WeightFormat.BF16 or Llama2.WeightFormat.Q8_0 or Llama2.WeightFormat.Q4_0))
        {
            throw new ArgumentException($"{nameof(WeightFormat)} is {WeightFormat}; a load converts to F32, F16, BF16, Q8_0 or Q4_0.", nameof(WeightFormat));
        }

        if (CacheFormat is not (null or Llama2.WeightFormat.F32 or Llama2.WeightFormat.F16 or Llama2.WeightFormat.Q8_0))
        {
            throw new ArgumentException($"{nameof(CacheFormat)} is {CacheFormat}; the cache is F32, F16 or Q8_0.", nameof(CacheFormat));
        }

        if (!Enum.IsDefined(Repack))
        {
            throw new ArgumentException($"{nameof(Repack)} is {Repack}; it must be InBackground, OnLoad or Never.", nameof(Repack));
        }

        static void AtLeast(long value, long least, string name)
        {
            if (value < least)
            {
                throw new ArgumentOutOfRangeException(name, value, $"{name} must be at least {least}.");
            }
        }
    }

    /// <summary>A copy that later changes by the caller do not reach.</summary>
    internal LlamaModelOptions Snapshot()
    {
        var copy = (LlamaModelOptions)MemberwiseClone();
        copy.Generation = Generation with { };
        copy.Adapters = new Dictionary<string, string>(Adapters);
        return copy;
    }
}

/// <summary>What happens with a setting that nobody knows.</summary>
public enum SettingsValidation
{
    /// <summary>The request is refused with an <see cref="ArgumentException"/> that names the setting.</summary>
    Strict,

    /// <summary>A warning is logged and the request goes on.</summary>
    Warn,

    /// <summary>The request goes on.</summary>
    Ignore,
}

/// <summary>When weights are copied into the order in which the CPU's kernels read them. The answers are the same.</summary>
public enum WeightRepacking
{
    /// <summary>
    /// After loading, while the model already answers, though at first slower: weights that need no conversion are multiplied out of the mapped file until
    /// they are copied. Passes and copying take turns: what is left is copied at once while nobody generates, and a token waits at most a quarter of a second for it. In
    /// the end all is as with <see cref="OnLoad"/>.
    /// </summary>
    InBackground,

    /// <summary>
    /// While they are loaded: they live once, in memory of the process's own, and decoding runs at the speed of the memory from the first token. An embedding that is
    /// no head stays where it is.
    /// </summary>
    OnLoad,

    /// <summary>
    /// Never: weights that need no conversion stay in the mapped file, which processes share, and are reordered whenever they are multiplied, which is
    /// slower.
    /// </summary>
    Never,
}
