namespace Llama2.Testing;

/// <summary>An engine over a <see cref="FakeBackend"/>; disposing it checks that caches and thread are gone.</summary>
public sealed class EngineHost : IDisposable
{
    public EngineHost(
        Action<LlamaModelOptions>? configure = null,
        LlamaConfig? config = null,
        bool withTokenizer = true,
        TimeProvider? time = null,
        GenerationOptions? defaults = null)
    {
        Backend = new(config);
        Tokenizer = withTokenizer ? TinyModels.Create(config: config).LoadTokenizer() : null;
        var options = new LlamaModelOptions();
        configure?.Invoke(options);
        Engine = new(Backend, Tokenizer, options, (defaults ?? new()).Or(GenerationOptions.Defaults), diagnostics: null, time);
    }

    /// <summary>Settings that take the likeliest token.</summary>
    public static GenerationOptions Greedy(int maxNewTokens) => new() { DoSample = false, MaxNewTokens = maxNewTokens };

    public FakeBackend Backend { get; }

    public LlamaTokenizer? Tokenizer { get; }

    public LlamaEngine Engine { get; }

    /// <summary>Runs a request to its end.</summary>
    public Task<GenerationResult> RunAsync(IReadOnlyList<int> prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        RunAsync(Engine, prompt, options, cancellationToken);

    public static async Task<GenerationResult> RunAsync(
        LlamaEngine engine, IReadOnlyList<int> prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        GenerationResult? result = null;
        await foreach (GenerationUpdate update in engine.GenerateAsync(prompt, options, cancellationToken))
        {
            result = update.Result;
        }

        return result ?? throw new InvalidOperationException("The last update has no result.");
    }

    public void Dispose()
    {
        Thread? thread = Engine.Loop.Thread;
        Engine.Dispose();
        if (thread is { IsAlive: true } || Backend.LiveCaches != 0 || Backend.LiveAdapters != 0)
        {
            throw new InvalidOperationException(
                $"The engine left {Backend.LiveCaches} caches and {Backend.LiveAdapters} adapters, its thread is {thread?.ThreadState}.");
        }

        Backend.Dispose();
    }
}
