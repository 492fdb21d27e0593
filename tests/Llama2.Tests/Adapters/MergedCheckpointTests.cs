using Llama2.Testing;

namespace Llama2.Tests;

public class MergedCheckpointTests
{
    private static readonly int[] _tokens = [1, 17, 300, 5, 42];

    [Fact]
    public void Tensors_OfTheTargets_AreTheSums()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        LoraAdapter adapter = TinyAdapters.Create(1, new() { Rank = 2, Alpha = 3, TargetModules = ["down_proj"] });
        using var merged = new MergedCheckpoint(checkpoint, adapter);
        LoraFactors factors = adapter.Factors[1];
        float[] a = factors.A.ReadAll(), b = factors.B.ReadAll(), weights = checkpoint.Tensors[factors.Weight].ReadAll(), sums = merged.Tensors[factors.Weight].ReadAll();
        int columns = factors.A.Columns;
        Assert.Equal(TensorNames.Down(1), factors.Weight);
        for (int i = 0; i < sums.Length; i++)
        {
            int row = i / columns, column = i % columns;
            double expected = weights[i] + 1.5 * (b[2 * row] * (double)a[column] + b[2 * row + 1] * (double)a[columns + column]);
            Assert.Equal(expected, sums[i], 1e-6);
        }

        Assert.Same(checkpoint.Tensors[TensorNames.Up(1)], merged.Tensors[TensorNames.Up(1)]);
        Assert.Equal("random with an adapter", merged.Layout);
    }

    [Fact]
    public void Load_Merged_EqualsTheAdapterBesideTheWeights()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        LoraAdapter adapter = TinyAdapters.Create();
        using var merged = new MergedCheckpoint(checkpoint, adapter);
        using var one = CpuBackend.Load(merged, new LlamaModelOptions());
        using var two = CpuBackend.Load(checkpoint, new LlamaModelOptions());
        using BackendAdapter beside = two.LoadAdapter(adapter);
        Assert.All(one.Logits(_tokens).Zip(two.Logits(_tokens, beside)), rows => Assert.All(rows.First.Zip(rows.Second), pair => Assert.Equal(pair.First, pair.Second, 1e-4f)));
    }

    [Theory]
    [InlineData(WeightFormat.BF16)]
    [InlineData(WeightFormat.Q8_0)]
    [InlineData(WeightFormat.Q4_0)]
    public void Load_NoFormatAskedFor_KeepsThatOfTheWeights(WeightFormat format)
    {
        using var folder = new TemporaryFolder();
        using (RandomCheckpoint random = TinyModels.Create())
        {
            GgufFile.Write(random, folder["m.gguf"], format);
        }

        using var checkpoint = Checkpoint.Open(folder["m.gguf"]);
        using var merged = new MergedCheckpoint(checkpoint, TinyAdapters.Create());
        using CpuBackend plain = CpuBackend.Load(checkpoint, new()), backend = CpuBackend.Load(merged, new()), single = CpuBackend.Load(merged, new() { WeightFormat = WeightFormat.F32 });
        Assert.Equal(plain.Info.WeightFormats, backend.Info.WeightFormats);
        Assert.StartsWith("F32", single.Info.WeightFormats, StringComparison.Ordinal);
        Assert.Equal(CpuBackend.Estimate(checkpoint, new()).MappedBytes, plain.Info.WeightBytes - CpuBackend.Estimate(checkpoint, new()).WeightBytes);
        Assert.Equal(backend.Info.WeightBytes - CpuBackend.Estimate(merged, new()).MappedBytes, CpuBackend.Estimate(merged, new()).WeightBytes);
    }

    [Fact]
    public void Load_KQuants_BecomeQ8()
    {
        LlamaConfig config = TinyModels.Config with { HiddenSize = 256, IntermediateSize = 256, HeadSize = 64, LayerCount = 1 };
        using var source = new KQuantCheckpoint(TinyModels.Create(config: config), WeightFormat.Q4_K);
        using var merged = new MergedCheckpoint(source, TinyAdapters.Create(1, new() { TargetModules = ["up_proj"] }, config));
        Assert.Equal(WeightFormat.Q8_0, CpuWeights.FormatOf(merged.Tensors[TensorNames.Up(0)], wanted: null));
        Assert.Equal(WeightFormat.Q4_K, CpuWeights.FormatOf(merged.Tensors[TensorNames.Gate(0)], wanted: null));
    }

    [Fact]
    public void Merge_ModelOfAnotherShape_NamesTheTensor()
    {
        using RandomCheckpoint narrow = TinyModels.Create(config: TinyModels.Config with { HiddenSize = 32 }), deep = TinyModels.Create(config: TinyModels.Config with { LayerCount = 3 });
        Assert.Equal(TensorNames.Query(0), Assert.Throws<CheckpointException>(() => new MergedCheckpoint(narrow, TinyAdapters.Create())).Field);
        Assert.Equal(TensorNames.Query(2), Assert.Throws<CheckpointException>(() => new MergedCheckpoint(deep, TinyAdapters.Create())).Field);
    }
}
