using Llama2.Testing;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;

namespace Llama2.SemanticKernel.Tests;

/// <summary>A model with random weights in a file, once for all tests of a class, and the kernel that a user would build over it.</summary>
public sealed class TinyModelFixture : IDisposable
{
    /// <summary>An adapter that the model of <see cref="Kernel"/> has.</summary>
    public const string Adapter = "other";

    private readonly TemporaryFolder _folder = new();
    private readonly Lazy<Kernel> _kernel;

    public TinyModelFixture()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create(config: TinyModels.Config with { ContextLength = 4096 });
        GgufFile.Write(checkpoint, Path, WeightFormat.F32);
        PeftFolder.Write(TinyAdapters.Create(1), _folder[Adapter]);
        _kernel = new(() => Kernel.CreateBuilder().AddLlama2ChatCompletion(Path, options => options.Adapters[Adapter] = _folder[Adapter]).Build());
    }

    /// <summary>The file; the model is called <c>tiny</c>.</summary>
    public string Path => _folder["tiny.gguf"];

    public Kernel Kernel => _kernel.Value;

    public IChatCompletionService Chat => Kernel.GetRequiredService<IChatCompletionService>();

    public LlamaModel Model => Kernel.GetRequiredService<LlamaModel>();

    /// <summary>Settings that always give the same text of so many tokens.</summary>
    public static Llama2PromptExecutionSettings Greedy(int tokens = 24) => new() { DoSample = false, MaxNewTokens = tokens, IgnoreEos = true };

    /// <summary>What the model read for an answer.</summary>
    public string PromptOf(KernelContent content) => Model.Tokenizer.Decode([.. ((GenerationResult)content.InnerContent!).PromptTokenIds]);

    public void Dispose()
    {
        if (_kernel.IsValueCreated)
        {
            (Kernel.Services as IDisposable)?.Dispose();
        }

        _folder.Dispose();
    }
}
