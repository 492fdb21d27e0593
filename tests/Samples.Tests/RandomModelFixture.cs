using Llama2;
using Llama2.Testing;

namespace Samples.Tests;

/// <summary>A Hugging Face folder with random weights and room for a dialogue or a description of functions.</summary>
public sealed class RandomModelFixture : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public RandomModelFixture()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create(seed: 3, TinyModels.Config with { ContextLength = 2048 });
        HuggingFaceFolder.Write(checkpoint, Path, WeightFormat.F16);
        Model = LlamaModel.Load(Path);
    }

    public string Path => _folder["model"];

    /// <summary>A file in the same temporary folder.</summary>
    public string File(string name) => _folder[name];

    public LlamaModel Model { get; }

    public void Dispose()
    {
        Model.Dispose();
        _folder.Dispose();
    }
}
