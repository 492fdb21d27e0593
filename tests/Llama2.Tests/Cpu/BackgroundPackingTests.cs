using Llama2.Testing;

namespace Llama2.Tests;

public sealed unsafe class BackgroundPackingTests : IDisposable
{
    private const int Rows = 40, Columns = 64;
    private static readonly int[] _tokens = [1, 9, 300, 44, 260, 260, 7];
    private static readonly LlamaConfig _shape = TinyModels.Config with { HiddenSize = 256, IntermediateSize = 352, HeadCount = 4, KeyValueHeadCount = 2, HeadSize = 64 };
    private readonly TemporaryFolder _folder = new();
    private readonly WorkerGroup _workers = new(2);
    private readonly MappedFile _file;
    private readonly List<AlignedMemory> _memory = [];

    public BackgroundPackingTests()
    {
        byte[] rows = new byte[Rows * WeightFormat.Q8_0.RowBytes(Columns)];
        new Random(1).NextBytes(rows);
        File.WriteAllBytes(_folder["rows"], rows);
        _file = new MappedFile(_folder["rows"]);
    }

    /// <summary>Rows of queries and keys, which the file has in another order, included; a model of converted weights is the reference.</summary>
    [Theory]
    [InlineData(WeightFormat.F32)]
    [InlineData(WeightFormat.F16)]
    [InlineData(WeightFormat.Q8_0)]
    [InlineData(WeightFormat.Q4_0)]
    public void Forward_WhenWeightsArePacked_MakesNoDifference(WeightFormat format)
    {
        using RandomCheckpoint source = TinyModels.Create(1, _shape);
        GgufFile.Write(source, _folder["m.gguf"], format);
        using var file = Checkpoint.Open(_folder["m.gguf"]);
        using var expected = CpuBackend.Load(source, new LlamaModelOptions { Threads = 2, WeightFormat = format, CacheFormat = WeightFormat.F16 });
        float[][] logits = expected.Logits(_tokens);
        foreach (WeightRepacking repack in Enum.GetValues<WeightRepacking>())
        {
            var options = new LlamaModelOptions { Threads = 2, CacheFormat = WeightFormat.F16, Repack = repack };
            using var backend = CpuBackend.Load(file, options);
            for (int pass = 0; pass < 5; pass++)
            {
                Assert.Equal(logits, backend.Logits(_tokens));
            }

            backend.WaitUntilPacked();
            Assert.Equal(logits, backend.Logits(_tokens));
            MemoryEstimate estimate = CpuBackend.Estimate(file, options);
            Assert.Equal(backend.Info.WeightBytes, estimate.WeightBytes + estimate.MappedBytes);
            Assert.Equal(repack == WeightRepacking.Never, estimate.MappedBytes > estimate.WeightBytes);
        }
    }

    [Fact]
    public void Dispose_WithinATurn_EndsBehindIt()
    {
        using ManualResetEventSlim inTurn = new(), go = new();
        (WeightMatrix Matrix, CheckpointTensor Tensor) first = Work(() =>
        {
            inTurn.Set();
            go.Wait();
        });
        (WeightMatrix Matrix, CheckpointTensor Tensor) second = Work(() => { });
        var packing = new BackgroundPacking([first, second], _workers);
        inTurn.Wait();
        var dispose = new Thread(packing.Dispose);
        dispose.Start();
        SpinWait.SpinUntil(() => dispose.ThreadState == ThreadState.WaitSleepJoin);
        go.Set();
        dispose.Join();
        Assert.Equal((first.Matrix.Stripes, 0), (first.Matrix.PackedStripes, second.Matrix.PackedStripes));
    }

    [Fact]
    public void BeginPass_WithinATurn_WaitsForItAndThenComesFirst()
    {
        using ManualResetEventSlim inTurn = new(), go = new(), begun = new(), over = new();
        (WeightMatrix Matrix, CheckpointTensor Tensor) first = Work(() =>
        {
            inTurn.Set();
            go.Wait();
        });
        (WeightMatrix Matrix, CheckpointTensor Tensor) second = Work(() => { });
        using var packing = new BackgroundPacking([first, second], _workers);
        inTurn.Wait();
        var pass = new Thread(() =>
        {
            packing.BeginPass();
            begun.Set();
            over.Wait();
            packing.EndPass();
        });
        pass.Start();
        SpinWait.SpinUntil(() => pass.ThreadState == ThreadState.WaitSleepJoin);
        Assert.False(begun.IsSet);
        go.Set();
        begun.Wait();
        Thread.Sleep(10);
        Assert.Equal((first.Matrix.Stripes, 0), (first.Matrix.PackedStripes, second.Matrix.PackedStripes));
        over.Set();
        pass.Join();
        packing.Wait();
        Assert.Equal(second.Matrix.Stripes, second.Matrix.PackedStripes);
        packing.BeginPass();                                            // nothing holds it up any more
        packing.EndPass();
    }

    [Fact]
    public void BeginPass_AfterAFailure_Throws()
    {
        using var packing = new BackgroundPacking([Work(() => throw new IOException("lost"))], _workers);
        Assert.Throws<IOException>(packing.Wait);
        Assert.Equal("lost", Assert.Throws<IOException>(packing.BeginPass).Message);
    }

    public void Dispose()
    {
        _workers.Dispose();
        _file.Dispose();
        _memory.ForEach(memory => memory.Dispose());
        _folder.Dispose();
    }

    private (WeightMatrix Matrix, CheckpointTensor Tensor) Work(Action packed)
    {
        var memory = new AlignedMemory(WeightMatrix.PackedBytes(WeightFormat.Q8_0, Rows, Columns));
        _memory.Add(memory);
        return (new WeightMatrix(WeightFormat.Q8_0, Rows, Columns, new MappedRegion(_file, 0, 0), memory), new Watched(packed));
    }

    private sealed class Watched(Action packed) : CheckpointTensor("w", WeightFormat.Q8_0, BackgroundPackingTests.Rows, BackgroundPackingTests.Columns)
    {
        internal override void ReleasePages() => packed();

        public override void ReadRow(int row, Span<byte> destination) => throw new NotSupportedException();
    }
}
