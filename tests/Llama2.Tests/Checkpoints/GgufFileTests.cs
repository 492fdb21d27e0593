using System.Runtime.InteropServices;
using Llama2.Testing;

namespace Llama2.Tests;

public sealed class GgufFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("llama2-gguf-").FullName;

    private string Target => Path.Combine(_folder, "model.gguf");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(WeightFormat.F32, false)]
    [InlineData(WeightFormat.F32, true)]
    [InlineData(WeightFormat.F16, false)]
    [InlineData(WeightFormat.BF16, true)]
    [InlineData(WeightFormat.Q8_0, false)]
    [InlineData(WeightFormat.Q8_0, true)]
    [InlineData(WeightFormat.Q4_0, false)]
    public void Write_Model_ReadsBackAsTheCodecStoresIt(WeightFormat format, bool tied)
    {
        using RandomCheckpoint source = TinyModels.Create(5, TinyModels.Config with { TieWordEmbeddings = tied });
        GgufFile.Write(source, Target, format);

        using var back = new GgufCheckpoint(Target);
        AssertSameShape(source.Config, back.Config);
        Assert.Equal(source.Tensors.Keys.Order(), back.Tensors.Keys.Order());
        foreach (CheckpointTensor tensor in back.Tensors.Values)
        {
            WeightFormat expected = tensor.Rows == 1 ? WeightFormat.F32 : format;
            Assert.Equal(expected, tensor.Format);
            AssertSameRows(source.Tensors[tensor.Name], tensor, expected);
        }

        LlamaTokenizer written = source.LoadTokenizer()!, read = back.LoadTokenizer()!;
        Assert.Equal(written.Vocabulary, read.Vocabulary);
        Assert.Equal((1, 2, 0, true), (read.BeginOfTextId, read.EndOfTextId, read.UnknownId, read.AddDummyPrefix));
        Assert.Equal(["model.gguf"], Directory.GetFiles(_folder).Select(Path.GetFileName));
    }

    [Fact]
    public void Write_QueryAndKey_AreStoredInMetasRotaryOrder()
    {
        using RandomCheckpoint source = TinyModels.Create();
        GgufFile.Write(source, Target, WeightFormat.F32);
        using var file = new MappedFile(Target);
        foreach ((string stored, string name) in new[] { ("blk.1.attn_q.weight", TensorNames.Query(1)), ("blk.1.attn_k.weight", TensorNames.Key(1)) })
        {
            GgufTensorInfo info = new GgufHeader(file).Tensors[stored];
            byte[] expected = new byte[64 * 4];
            for (int row = 0; row < info.Rows; row++)
            {
                source.Tensors[name].ReadRow(RotaryOrder.HalvedRow(row, 16), expected);
                Assert.Equal(expected, file.Span(info.Offset + row * 64 * 4, 64 * 4).ToArray());
            }
        }
    }

    [Fact]
    public void Write_Header_HoldsTheKeysThatOthersLookFor()
    {
        using RandomCheckpoint source = TinyModels.Create();
        GgufFile.Write(source, Target, WeightFormat.Q8_0);
        using var file = new MappedFile(Target);
        var header = new GgufHeader(file);
        Assert.Equal(3, header.Version);
        Assert.Equal("random-64x2", header.Metadata.Text("general.name"));
        Assert.Equal(7, header.Metadata.Int32("general.file_type"));
        Assert.Equal(2, header.Metadata.Int32("general.quantization_version"));
        Assert.Equal(320, header.Metadata.Int32("llama.vocab_size"));
        Assert.Equal(16, header.Metadata.Int32("llama.rope.dimension_count"));
        Assert.True(header.Metadata.Flag("tokenizer.ggml.add_bos_token"));
        Assert.False(header.Metadata.Flag("tokenizer.ggml.add_eos_token"));
        Assert.All(header.Tensors.Values, tensor => Assert.Equal(0, tensor.Offset % 32));
    }

    [Theory]
    [InlineData(WeightFormat.F32, 0)]
    [InlineData(WeightFormat.F16, 1)]
    [InlineData(WeightFormat.BF16, 32)]
    [InlineData(WeightFormat.Q4_0, 2)]
    public void Write_FileType_IsTheNumberOfTheFormat(WeightFormat format, int expected)
    {
        using RandomCheckpoint source = TinyModels.Create();
        GgufFile.Write(source, Target, format);
        using var file = new MappedFile(Target);
        Assert.Equal(expected, new GgufHeader(file).Metadata.Int32("general.file_type"));
    }

    [Fact]
    public void Write_RowsThatAreNoMultipleOfABlock_StayHalves()
    {
        using RandomCheckpoint source = TinyModels.Create(2, TinyModels.Config with { IntermediateSize = 72 });
        GgufFile.Write(source, Target, WeightFormat.Q4_0);
        using var back = new GgufCheckpoint(Target);
        Assert.Equal(WeightFormat.F16, back.Tensors[TensorNames.Down(0)].Format);
        AssertSameRows(source.Tensors[TensorNames.Down(0)], back.Tensors[TensorNames.Down(0)], WeightFormat.F16);
        Assert.Equal(WeightFormat.Q4_0, back.Tensors[TensorNames.Up(0)].Format);
    }

    [Fact]
    public void Write_TensorsOfManyChunks_AreWhole()
    {
        using RandomCheckpoint source = TinyModels.Create(3, TinyModels.Config with { VocabularySize = 40_000, LayerCount = 1 });    // 10 MB, chunks of 8
        GgufFile.Write(source, Target, WeightFormat.F32);
        using var back = new GgufCheckpoint(Target);
        AssertSameRows(source.Tensors[TensorNames.Head], back.Tensors[TensorNames.Head], WeightFormat.F32);
    }

    [Fact]
    public void Write_QuantisedSourceInItsOwnFormat_IsCopied()
    {
        using RandomCheckpoint source = TinyModels.Create();
        GgufFile.Write(source, Target, WeightFormat.Q4_0);
        using var first = new GgufCheckpoint(Target);
        string copy = Path.Combine(_folder, "copy.gguf");
        GgufFile.Write(first, copy, WeightFormat.Q4_0);
        using var second = new GgufCheckpoint(copy);
        foreach (CheckpointTensor tensor in first.Tensors.Values)
        {
            byte[] expected = new byte[tensor.RowBytes], actual = new byte[tensor.RowBytes];
            for (int row = 0; row < tensor.Rows; row++)
            {
                tensor.ReadRow(row, expected);
                second.Tensors[tensor.Name].ReadRow(row, actual);
                Assert.Equal(expected, actual);
            }
        }
    }

    [Fact]
    public void Write_OtherShapes_KeepTheirNumbers()
    {
        LlamaConfig config = TinyModels.Config with
        {
            HeadSize = 8,
            KeyValueHeadCount = 4,
            RopeTheta = 123_456,
            RopeScaling = new(RopeScalingKind.Linear, 2.5f),
            BeginOfTextId = 3,
            EndOfTextIds = [4, 5, 6],
        };
        using RandomCheckpoint source = TinyModels.Create(1, config);
        GgufFile.Write(source, Target, WeightFormat.F16);
        using var back = new GgufCheckpoint(Target);
        AssertSameShape(config, back.Config);
    }

    [Fact]
    public void Write_ModelWithoutTokenizer_HasNoVocabulary()
    {
        using RandomCheckpoint source = TinyModels.Create(1, TinyModels.Config with { VocabularySize = 32 });
        GgufFile.Write(source, Target, WeightFormat.F32);
        using var back = new GgufCheckpoint(Target);
        Assert.Equal(32, back.Config.VocabularySize);
        Assert.Null(back.LoadTokenizer());
    }

    [Fact]
    public void Write_TokenizerSmallerThanTheModel_IsPaddedWithUnusedPieces()
    {
        using var source = new AlteredCheckpoint(TinyModels.Create())
        {
            Tokenizer = TinyModels.Create(1, TinyModels.Config with { VocabularySize = 300 }).LoadTokenizer(),
        };
        GgufFile.Write(source, Target, WeightFormat.Q8_0);
        using var back = new GgufCheckpoint(Target);
        LlamaTokenizer tokenizer = back.LoadTokenizer()!;
        Assert.Equal(320, tokenizer.VocabularySize);
        Assert.Equal(new VocabularyEntry("[PAD319]", 0, TokenKind.Unused), tokenizer.Vocabulary[319]);
    }

    [Fact]
    public void Write_TokenizerLargerThanTheModel_IsRefused()
    {
        using var source = new AlteredCheckpoint(TinyModels.Create())
        {
            Tokenizer = TinyModels.Create(1, TinyModels.Config with { VocabularySize = 400 }).LoadTokenizer(),
        };
        AssertRefused<CheckpointException>("found 400 ids", () => GgufFile.Write(source, Target, WeightFormat.Q8_0));
    }

    [Theory]
    [InlineData(WeightFormat.Q8_0, float.NaN)]
    [InlineData(WeightFormat.Q4_0, float.PositiveInfinity)]
    [InlineData(WeightFormat.F16, 70_000f)]
    public void Write_WeightThatDoesNotFit_NamesTheTensorAndLeavesNothing(WeightFormat format, float weight)
    {
        using var source = new AlteredCheckpoint(TinyModels.Create()) { TensorName = TensorNames.Up(1), Weight = weight };
        AssertRefused<CheckpointException>("tensor 'model.layers.1.mlp.up_proj.weight', row 7", () => GgufFile.Write(source, Target, format));
    }

    [Theory]
    [InlineData(WeightFormat.Q8_0, float.NaN)]
    [InlineData(WeightFormat.F16, 70_000f)]
    public void Load_WeightThatDoesNotFit_NamesTheTensorToo(WeightFormat format, float weight)
    {
        using var source = new AlteredCheckpoint(TinyModels.Create()) { TensorName = TensorNames.Up(1), Weight = weight };
        CheckpointException error = Assert.Throws<CheckpointException>(() => CpuBackend.Load(source, new LlamaModelOptions { WeightFormat = format }));
        Assert.Equal("tensor 'model.layers.1.mlp.up_proj.weight', row 7", error.Field);
    }

    [Fact]
    public void Write_NotANumberAsHalf_StaysOne()
    {
        using var source = new AlteredCheckpoint(TinyModels.Create()) { TensorName = TensorNames.Up(1), Weight = float.NaN };
        GgufFile.Write(source, Target, WeightFormat.F16);
        using var back = new GgufCheckpoint(Target);
        float[] row = new float[64];
        back.Tensors[TensorNames.Up(1)].ReadRow(7, row);
        Assert.True(float.IsNaN(row[3]));
    }

    [Theory]
    [InlineData(WeightFormat.Q4_K)]
    [InlineData(WeightFormat.Q5_K)]
    [InlineData(WeightFormat.Q6_K)]
    public void Write_KFormat_IsRefused(WeightFormat format)
    {
        using RandomCheckpoint source = TinyModels.Create();
        AssertRefused<NotSupportedException>("is read, not written", () => GgufFile.Write(source, Target, format));
    }

    [Fact]
    public void Write_DynamicScaling_IsRefused()
    {
        using RandomCheckpoint source = TinyModels.Create(1, TinyModels.Config with { RopeScaling = new(RopeScalingKind.Dynamic, 2) });
        AssertRefused<NotSupportedException>("Dynamic rope scaling", () => GgufFile.Write(source, Target, WeightFormat.F32));
    }

    [Fact]
    public void Write_FourIdsThatEndAText_IsRefused()
    {
        using RandomCheckpoint source = TinyModels.Create(1, TinyModels.Config with { EndOfTextIds = [2, 3, 4, 5] });
        AssertRefused<NotSupportedException>("4 ids", () => GgufFile.Write(source, Target, WeightFormat.F32));
    }

    [Fact]
    public void Write_Cancelled_KeepsWhatStoodThere()
    {
        using RandomCheckpoint source = TinyModels.Create();
        using var cancellation = new CancellationTokenSource();
        File.WriteAllText(Target, "before");
        var progress = new Steps(_ => cancellation.Cancel());
        Assert.ThrowsAny<OperationCanceledException>(() => GgufFile.Write(source, Target, WeightFormat.F32, progress, cancellation.Token));
        Assert.Equal("before", File.ReadAllText(Target));
        Assert.Equal(["model.gguf"], Directory.GetFiles(_folder).Select(Path.GetFileName));
        Assert.ThrowsAny<OperationCanceledException>(() => GgufFile.Write(source, Target, WeightFormat.F32, null, cancellation.Token));
    }

    [Fact]
    public void Write_Progress_ReachesTheTotal()
    {
        using RandomCheckpoint source = TinyModels.Create();
        var steps = new List<LoadProgress>();
        File.WriteAllText(Target, "before");
        GgufFile.Write(source, Target, WeightFormat.Q8_0, new Steps(steps.Add));
        Assert.Equal(source.Tensors.Count, steps.Count);
        Assert.Equal(steps.Select(step => step.LoadedBytes).Order(), steps.Select(step => step.LoadedBytes));
        Assert.Equal(steps[^1].TotalBytes, steps[^1].LoadedBytes);
        Assert.Equal(TensorNames.Head, steps[^1].Tensor);
    }

    private void AssertRefused<TException>(string message, Action write)
        where TException : Exception
    {
        Assert.Contains(message, Assert.Throws<TException>(write).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    private static void AssertSameShape(LlamaConfig expected, LlamaConfig actual)
    {
        Assert.Equal(expected.EndOfTextIds, actual.EndOfTextIds);
        Assert.Equal(expected with { EndOfTextIds = actual.EndOfTextIds }, actual);
    }

    /// <summary>Every row of the file is what the codec makes of the source's row.</summary>
    private static void AssertSameRows(CheckpointTensor source, CheckpointTensor file, WeightFormat format)
    {
        float[] weights = new float[source.Columns];
        byte[] expected = new byte[format.RowBytes(source.Columns)], actual = new byte[file.RowBytes];
        for (int row = 0; row < source.Rows; row++)
        {
            source.ReadRow(row, weights);
            WeightCodec.EncodeScalar(format, weights, expected);
            file.ReadRow(row, actual);
            Assert.True(expected.AsSpan().SequenceEqual(actual), $"{file.Name} row {row}");
        }
    }

    private sealed class Steps(Action<LoadProgress> report) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value) => report(value);
    }

    /// <summary>A checkpoint with one weight changed, or another tokenizer.</summary>
    private sealed class AlteredCheckpoint(Checkpoint source) : Checkpoint
    {
        public string TensorName { get; init; } = "";

        public float Weight { get; init; }

        public LlamaTokenizer? Tokenizer { get; init; }

        public override string Path => source.Path;

        public override string Layout => source.Layout;

        public override LlamaConfig Config => source.Config;

        public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => source.Tensors.ToDictionary(
            pair => pair.Key,
            pair => pair.Key == TensorName ? new AlteredTensor(pair.Value, Weight) : pair.Value);

        public override LlamaTokenizer? LoadTokenizer() => Tokenizer;
    }

    /// <summary>Weight 3 of row 7 is another.</summary>
    private sealed class AlteredTensor(CheckpointTensor source, float weight) : CheckpointTensor(source.Name, source.Format, source.Rows, source.Columns)
    {
        public override void ReadRow(int row, Span<byte> destination)
        {
            source.ReadRow(row, destination);
            MemoryMarshal.Cast<byte, float>(destination)[3] = row == 7 ? weight : 0;
        }
    }
}
