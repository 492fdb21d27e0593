using Llama2.Testing;
using TorchSharp;

namespace Llama2.TorchSharp.Tests;

/// <summary>No tensor outlives its owner; TorchSharp counts those of a thread, and a test runs on one.</summary>
public class TorchMemoryTests
{
    private static readonly int[] _prompt = [1, 9, 300, 44, 260, 260, 7];

    private static long LiveTensors => DisposeScopeManager.Statistics.ThreadTotalLiveCount;

    [Fact]
    public void Forward_TenThousandTokens_KeepsNoTensor()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using TorchBackend backend = TestDevice.Load(checkpoint);
        using KeyValueCache cache = backend.CreateCache(), second = backend.CreateCache();
        using BackendAdapter adapter = backend.LoadAdapter(TinyAdapters.Create());
        Pass();
        long before = LiveTensors;
        for (int tokens = 0; tokens < 10_000; tokens += 5)
        {
            if (second.Length > 250)
            {
                cache.Rewind(0);
                second.Rewind(0);
            }

            Pass();
            Assert.Equal(before, LiveTensors);
        }

        // One token of a sequence alone, two together, two of a prompt's chunk.
        void Pass()
        {
            var batch = new LlamaBatch();
            float[] logits = new float[2 * backend.Config.VocabularySize];
            batch.Add(cache, [5], LogitRows.Last);
            backend.Forward(batch, logits);
            batch.Clear();
            batch.Add(cache, [6], LogitRows.Last);
            batch.Add(second, [7], LogitRows.Last, adapter);
            backend.Forward(batch, logits);
            batch.Clear();
            batch.Add(second, [8, 9], LogitRows.Last, adapter);
            backend.Forward(batch, logits);
        }
    }

    [Fact]
    public void LoadAndDispose_HundredRounds_KeepNoTensor()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        Round();
        long before = LiveTensors;
        for (int round = 0; round < 100; round++)
        {
            Round();
            Assert.Equal(before, LiveTensors);
        }

        void Round()
        {
            using TorchBackend backend = TestDevice.Load(checkpoint);
            using BackendAdapter adapter = backend.LoadAdapter(TinyAdapters.Create());
            using KeyValueCache cache = backend.CreateCache();
            backend.Logits(cache, _prompt, adapter);
            using KeyValueCache fork = cache.Fork(3);
            backend.Logits(fork, [1]);
        }
    }

    [Fact]
    public void Load_ThatFails_KeepsNoTensor()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        TestDevice.Load(checkpoint).Dispose();
        long before = LiveTensors;
        using var source = new CancellationTokenSource();
        var progress = new CancelAfter(7, source);
        Assert.ThrowsAny<OperationCanceledException>(() =>
            TorchBackend.Load(checkpoint, new LlamaModelOptions(), TorchDevice.Parse(TestDevice.Name), null, progress, source.Token));
        Assert.Equal(before, LiveTensors);
    }

    [Fact]
    public void Load_LargerThanAnyMemory_IsTyped()
    {
        using var checkpoint = new RandomCheckpoint(TinyModels.Config with { HiddenSize = 1 << 20, VocabularySize = 1 << 24 });
        long before = LiveTensors;
        var error = Assert.Throws<InsufficientMemoryException>(() =>
            TorchBackend.Load(checkpoint, new LlamaModelOptions { CheckMemory = false }, TorchDevice.Parse(TestDevice.Name)));
        Assert.Contains("The weights of", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, LiveTensors);
    }

    [CpuDeviceFact]
    public void Load_LargerThanThisMachine_IsRefusedWithTheFigures()
    {
        using var checkpoint = new RandomCheckpoint(TinyModels.Config with { HiddenSize = 1 << 20, VocabularySize = 1 << 24 });
        var error = Assert.Throws<InsufficientMemoryException>(() => TestDevice.Load(checkpoint));
        Assert.Contains("CheckMemory", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Forward_CacheLargerThanAnyMemory_IsTypedAndTheBackendWorksOn()
    {
        // 8 MB a token, 200,000 tokens: 1.7 TB.
        LlamaConfig config = TinyModels.Config with
        {
            HiddenSize = 8,
            IntermediateSize = 8,
            LayerCount = 1,
            HeadCount = 64,
            KeyValueHeadCount = 64,
            HeadSize = 1 << 14,
            ContextLength = 1 << 18,
        };
        using var checkpoint = new RandomCheckpoint(config);
        using var backend = TorchBackend.Load(checkpoint, new LlamaModelOptions { CheckMemory = false }, TorchDevice.Parse(TestDevice.Name));
        using KeyValueCache cache = backend.CreateCache();
        float[] before = backend.Logits(cache, [1, 2, 3])[^1];
        long live = LiveTensors;
        var batch = new LlamaBatch();
        batch.Add(cache, new int[200_000], LogitRows.None);
        var error = Assert.Throws<InsufficientMemoryException>(() => backend.Forward(batch, []));
        Assert.Contains("Keys and values", error.Message, StringComparison.Ordinal);
        Assert.Equal(3, cache.Length);
        Assert.Equal(live, LiveTensors);
        cache.Rewind(0);
        Assert.Equal(before, backend.Logits(cache, [1, 2, 3])[^1]);
    }

    [Fact]
    public void Forward_ActivationsLargerThanAnyMemory_IsTypedAndTheBackendWorksOn()
    {
        // Gates and ups of two million each for 10,000 tokens: 168 GB.
        LlamaConfig config = TinyModels.Config with
        {
            HiddenSize = 4,
            IntermediateSize = 1 << 21,
            LayerCount = 1,
            HeadCount = 1,
            KeyValueHeadCount = 1,
            HeadSize = 2,
            ContextLength = 1 << 14,
        };
        using var checkpoint = new RandomCheckpoint(config);
        using TorchBackend backend = TestDevice.Load(checkpoint);
        using KeyValueCache cache = backend.CreateCache();
        float[] before = backend.Logits(cache, [1, 2, 3])[^1];
        long live = LiveTensors;
        var batch = new LlamaBatch();
        batch.Add(cache, new int[10_000], LogitRows.None);
        var error = Assert.Throws<InsufficientMemoryException>(() => backend.Forward(batch, []));
        Assert.Contains("A forward pass of 10000 tokens", error.Message, StringComparison.Ordinal);
        Assert.Equal(3, cache.Length);
        Assert.Equal(live, LiveTensors);
        cache.Rewind(0);
        Assert.Equal(before, backend.Logits(cache, [1, 2, 3])[^1]);
    }

    private sealed class CancelAfter(int tensors, CancellationTokenSource source) : IProgress<LoadProgress>
    {
        private int _seen;

        public void Report(LoadProgress value)
        {
            if (++_seen == tensors)
            {
                source.Cancel();
            }
        }
    }
}
