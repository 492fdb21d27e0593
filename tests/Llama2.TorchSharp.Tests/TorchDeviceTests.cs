using Llama2.Testing;
using static TorchSharp.torch;

namespace Llama2.TorchSharp.Tests;

/// <summary>What is asked for is there or is refused, with what to add; never another device or type.</summary>
public class TorchDeviceTests
{
    [Theory]
    [InlineData("cpu", "cpu")]
    [InlineData("mps", "mps")]
    [InlineData("cuda", "cuda:0")]
    [InlineData("cuda:3", "cuda:3")]
    public void Parse_KnownDevices_HaveTheirNames(string text, string name) => Assert.Equal(name, TorchDevice.Parse(text).Name);

    [Theory]
    [InlineData("gpu")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda: 1")]
    [InlineData("cpu:0")]
    [InlineData("CUDA")]
    public void UseTorchSharp_UnknownDevice_IsRefusedAtOnce(string device) =>
        Assert.Contains(device, Assert.Throws<ArgumentException>(() => new LlamaModelOptions().UseTorchSharp(device)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    public void UseTorchSharp_NoDevice_IsRefusedAtOnce(string? device) =>
        Assert.ThrowsAny<ArgumentException>(() => new LlamaModelOptions().UseTorchSharp(device!));

    [Fact]
    public void UseTorchSharp_TypeThatIsNone_IsRefusedAtOnce() =>
        Assert.Throws<ArgumentException>(() => new LlamaModelOptions().UseTorchSharp("cpu", ScalarType.Int8));

    [Fact]
    public void Load_CudaDeviceThatIsNotThere_SaysSo()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        var error = Assert.Throws<TorchUnavailableException>(() => TorchBackend.Load(checkpoint, new LlamaModelOptions(), TorchDevice.Parse("cuda:99")));
        Assert.Equal("cuda:99", error.Device);
        Assert.Contains("The device cuda:99 was asked for", error.Message, StringComparison.Ordinal);
    }

    [CpuDeviceFact]
    public void Load_CudaWithALibraryOfTheCpu_NamesThePackages()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        var error = Assert.Throws<TorchUnavailableException>(() => TorchBackend.Load(checkpoint, new LlamaModelOptions(), TorchDevice.Parse("cuda")));
        Assert.Contains("TorchSharp-cuda-linux", error.Message, StringComparison.Ordinal);
        Assert.NotNull(error.InnerException);
    }

    [NoMetalFact]
    public void Load_MetalThatIsNotThere_SaysSo()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        var error = Assert.Throws<TorchUnavailableException>(() => TorchBackend.Load(checkpoint, new LlamaModelOptions(), TorchDevice.Parse("mps")));
        Assert.Contains("The device mps was asked for", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void UseTorchSharp_SameChoice_OptionsAreEqual()
    {
        Assert.True(LlamaModelOptionsComparer.AreEqual(new LlamaModelOptions().UseTorchSharp("cuda"), new LlamaModelOptions().UseTorchSharp("cuda:0")));
        Assert.False(LlamaModelOptionsComparer.AreEqual(new LlamaModelOptions().UseTorchSharp("cuda"), new LlamaModelOptions().UseTorchSharp("cuda:1")));
    }

    [Fact]
    public void LoadModel_CudaDeviceThatIsNotThere_FreesTheCheckpointAndSaysSo() =>
        Assert.Throws<TorchUnavailableException>(() => LlamaModel.Load(TinyModels.Create(), new LlamaModelOptions().UseTorchSharp("cuda:99")));

    [Fact]
    public void Unavailable_NoLibrary_NamesThePackages()
    {
        var cause = new TypeInitializationException("TorchSharp.torch", new DllNotFoundException("LibTorchSharp"));
        TorchUnavailableException error = TorchDevice.Parse("cpu").Unavailable(cause);
        Assert.Contains("LibTorchSharp", error.Message, StringComparison.Ordinal);
        Assert.Contains("TorchSharp-cpu", error.Message, StringComparison.Ordinal);
        Assert.Same(cause, error.InnerException);
    }

    [Theory]
    [InlineData(null, null, WeightFormat.F32)]
    [InlineData(WeightFormat.BF16, null, WeightFormat.BF16)]
    [InlineData(null, ScalarType.Float16, WeightFormat.F16)]
    [InlineData(WeightFormat.F16, ScalarType.Float16, WeightFormat.F16)]
    public void Choose_OptionOrArgument_DecidesTheType(WeightFormat? option, ScalarType? argument, WeightFormat expected)
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        Assert.Equal(expected, TorchTypes.Choose(checkpoint, new LlamaModelOptions { WeightFormat = option }, argument));
    }

    [Fact]
    public void Choose_CheckpointOfIntegers_BecomesBFloat16()
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint checkpoint = TinyModels.Create();
        string path = Path.Combine(folder.Path, "tiny.gguf");
        GgufFile.Write(checkpoint, path, WeightFormat.Q8_0);
        using Checkpoint quantized = Checkpoint.Open(path);
        Assert.Equal(WeightFormat.BF16, TorchTypes.Choose(quantized, new LlamaModelOptions(), null));
        using TorchBackend backend = TestDevice.Load(quantized, dtype: ScalarType.Float32);
        double[] expected = new ReferenceModel(quantized).Logits([1, 9, 300])[^1];
        Assert.InRange(expected.Zip(backend.Logits([1, 9, 300])[^1], (left, right) => Math.Abs(left - right)).Max(), 0, 1e-4);
    }

    [Fact]
    public void Choose_SettingsOfTheCpuBackend_AreRefusedNotDropped()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        Refuse<NotSupportedException>(new() { WeightFormat = WeightFormat.Q8_0 }, "WeightFormat is Q8_0");
        Refuse<NotSupportedException>(new() { CacheFormat = WeightFormat.F16 }, "CacheFormat is F16");
        Refuse<NotSupportedException>(new() { Repack = WeightRepacking.Never }, "Repack is Never");
        Refuse<ArgumentException>(new() { WeightFormat = WeightFormat.F16 }, "WeightFormat is F16", ScalarType.BFloat16);
        Assert.Equal(WeightFormat.F16, TorchTypes.Choose(checkpoint, new() { WeightFormat = WeightFormat.F16, CacheFormat = WeightFormat.F16 }, null));

        void Refuse<T>(LlamaModelOptions options, string message, ScalarType? type = null)
            where T : Exception => Assert.StartsWith(message, Assert.Throws<T>(() => TorchTypes.Choose(checkpoint, options, type)).Message, StringComparison.Ordinal);
    }
}
