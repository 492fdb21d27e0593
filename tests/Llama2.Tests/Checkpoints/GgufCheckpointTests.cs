using System.Runtime.InteropServices;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace Llama2.Tests;

public sealed class GgufCheckpointTests : IDisposable
{
    private static readonly byte[] _model = GgufBuilder.Model().Build();
    private readonly string _path = Path.Combine(Directory.CreateTempSubdirectory("llama2-gguf-").FullName, "model.gguf");

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_path)!, recursive: true);

    [Theory]
    [InlineData(2, 32)]
    [InlineData(3, 32)]
    [InlineData(3, 8)]
    [InlineData(3, 256)]
    public void Open_WholeFile_HasShapeTensorsAndVocabulary(int version, int alignment)
    {
        GgufBuilder builder = GgufBuilder.Model().Set("general.alignment", (uint)alignment);
        (builder.Version, builder.Alignment) = ((uint)version, alignment);
        using GgufCheckpoint checkpoint = Open(builder);

        Assert.Equal($"GGUF v{version}", checkpoint.Layout);
        Assert.Equal(_path, checkpoint.Path);
        LlamaConfig config = checkpoint.Config;
        Assert.Equal((8, 12, 1, 2, 1, 4, 6, 32), (config.HiddenSize, config.IntermediateSize, config.LayerCount, config.HeadCount,
            config.KeyValueHeadCount, config.HeadSize, config.VocabularySize, config.ContextLength));
        Assert.Equal((1e-5f, 10_000f, null, false, 1), (config.RmsNormEpsilon, config.RopeTheta, config.RopeScaling, config.TieWordEmbeddings, config.BeginOfTextId));
        Assert.Equal([2], config.EndOfTextIds);

        Assert.Equal(TensorNames.Required(config).Select(tensor => tensor.Name).Order(), checkpoint.Tensors.Keys.Order());
        Assert.Equal(Enumerable.Range(0, 12).Select(column => 300f + column), Row(checkpoint, TensorNames.Down(0), 3));
        Assert.Equal(Enumerable.Range(0, 8).Select(column => (float)column), Row(checkpoint, TensorNames.OutputNorm, 0));

        LlamaTokenizer tokenizer = checkpoint.LoadTokenizer()!;
        Assert.Equal((1, 2, 0, true), (tokenizer.BeginOfTextId, tokenizer.EndOfTextId, tokenizer.UnknownId, tokenizer.AddDummyPrefix));
        Assert.Equal(new VocabularyEntry("é", -2.5f, TokenKind.Normal), tokenizer.Vocabulary[5]);
        Assert.Equal(
            [TokenKind.Unknown, TokenKind.Control, TokenKind.Control, TokenKind.UserDefined, TokenKind.Normal, TokenKind.Normal],
            tokenizer.Vocabulary.Select(entry => entry.Kind));
    }

    [Fact]
    public void Tensors_QueryAndKeyRows_AreInHuggingFacesRotaryOrder()
    {
        using GgufCheckpoint checkpoint = Open(GgufBuilder.Model());
        Assert.Equal([0, 200, 100, 300, 400, 600, 500, 700], Enumerable.Range(0, 8).Select(row => Row(checkpoint, TensorNames.Query(0), row)[0]));
        Assert.Equal([0, 200, 100, 300], Enumerable.Range(0, 4).Select(row => Row(checkpoint, TensorNames.Key(0), row)[0]));
        Assert.Equal([0, 100, 200, 300], Enumerable.Range(0, 4).Select(row => Row(checkpoint, TensorNames.Value(0), row)[0]));
        Assert.Equal(4, checkpoint.Tensors[TensorNames.Query(0)].Region!.Value.InterleavedHeadSize);
        Assert.Equal(0, checkpoint.Tensors[TensorNames.Value(0)].Region!.Value.InterleavedHeadSize);
    }

    [Fact]
    public void Open_OtherKeys_AreHonoured()
    {
        using GgufCheckpoint checkpoint = Open(GgufBuilder.Model()
            .Set("llama.rope.freq_base", 500_000.0).Set("llama.rope.scaling.type", "linear").Set("llama.rope.scaling.factor", 4f)
            .Set("llama.attention.head_count", new[] { 2 }).Set("llama.attention.head_count_kv", new[] { 2u }).Set("llama.feed_forward_length", (ushort)12)
            .RemoveTensor("blk.0.attn_k.weight").RemoveTensor("blk.0.attn_v.weight").RemoveTensor("output.weight")
            .Matrix("blk.0.attn_k.weight", 8, 8).Matrix("blk.0.attn_v.weight", 8, 8)
            .Set("llama.rope.dimension_count", (byte)4).Set("llama.attention.key_length", 4L).Set("llama.vocab_size", 6UL)
            .Set("tokenizer.ggml.bos_token_id", (sbyte)3).Set("tokenizer.ggml.eos_token_id", (short)1).Set("tokenizer.ggml.eot_token_id", 2)
            .Set("tokenizer.ggml.unknown_token_id", 4u).Set("tokenizer.ggml.add_space_prefix", false)
            .Set("some.key", new[] { new[] { "nested", "" }, [] }).Set("other.key", new[] { true }).Set("llama.expert_count", 0u));
        LlamaConfig config = checkpoint.Config;
        Assert.Equal((500_000f, new RopeScaling(RopeScalingKind.Linear, 4), 2, true, 3),
            (config.RopeTheta, config.RopeScaling, config.KeyValueHeadCount, config.TieWordEmbeddings, config.BeginOfTextId));
        Assert.Equal([1, 2], config.EndOfTextIds);
        Assert.DoesNotContain(TensorNames.Head, checkpoint.Tensors.Keys);
        LlamaTokenizer tokenizer = checkpoint.LoadTokenizer()!;
        Assert.Equal((3, 1, 4, false), (tokenizer.BeginOfTextId, tokenizer.EndOfTextId, tokenizer.UnknownId, tokenizer.AddDummyPrefix));
    }

    [Fact]
    public void Open_LegacyRopeScale_IsLinear()
    {
        using GgufCheckpoint checkpoint = Open(GgufBuilder.Model().Set("llama.rope.scale_linear", 2f));
        Assert.Equal(new RopeScaling(RopeScalingKind.Linear, 2), checkpoint.Config.RopeScaling);
    }

    [Fact]
    public void Open_ScalingOfTypeNone_IsNotScaled()
    {
        using GgufCheckpoint checkpoint = Open(GgufBuilder.Model().Set("llama.rope.scaling.type", "none").Set("llama.rope.scaling.factor", 4f));
        Assert.Null(checkpoint.Config.RopeScaling);
    }

    [Fact]
    public void Open_ObsoleteTensorsAndUnitFrequencies_AreIgnored()
    {
        byte[] ones = MemoryMarshal.AsBytes<float>([1, 1]).ToArray();
        using GgufCheckpoint checkpoint = Open(GgufBuilder.Model()
            .Vector("blk.0.attn_rot_embd.weight", 2).Add(new("rope_freqs.weight", [2], 0, ones)));
        Assert.Equal(12, checkpoint.Tensors.Count);
    }

    [Fact]
    public void Open_NoVocabulary_TakesTheSizeOfTheEmbeddingAndHasNoTokenizer()
    {
        GgufBuilder builder = GgufBuilder.Model();
        foreach (string key in new[] { "model", "tokens", "scores", "token_type" })
        {
            builder.Remove("tokenizer.ggml." + key);
        }

        using GgufCheckpoint checkpoint = Open(builder);
        Assert.Equal(6, checkpoint.Config.VocabularySize);
        Assert.Null(checkpoint.LoadTokenizer());
    }

    public static TheoryData<string, Func<GgufBuilder, GgufBuilder>> Faults => new()
    {
        { "magic", b => { b.Magic = "GGML"; return b; } },
        { "version: found 1,", b => { b.Version = 1; return b; } },
        { "big-endian", b => { b.Version = 0x03000000; return b; } },
        { "tensor count", b => { b.TensorCount = ulong.MaxValue; return b; } },
        { "metadata count", b => { b.KeyCount = ulong.MaxValue / 2; return b; } },
        { "general.architecture: found 'gpt2'", b => b.Set("general.architecture", "gpt2") },
        { "general.architecture: found a value of type UInt32", b => b.Set("general.architecture", 1u) },
        { "general.architecture: found 'nothing'", b => b.Remove("general.architecture") },
        { "general.alignment: found 24", b => b.Set("general.alignment", 24u) },
        { "general.alignment: found 0", b => b.Set("general.alignment", 0u) },
        { "split.count: found a model in 3 files", b => b.Set("split.count", (ushort)3) },
        { "llama.context_length: found nothing", b => b.Remove("llama.context_length") },
        { "llama.context_length: found -1", b => b.Set("llama.context_length", -1) },
        { "llama.context_length: found a value of type Float32", b => b.Set("llama.context_length", 32f) },
        { "llama.embedding_length: found 18446744073709551615", b => b.Set("llama.embedding_length", ulong.MaxValue) },
        { "llama.feed_forward_length: found nothing", b => b.Remove("llama.feed_forward_length") },
        { "llama.attention.head_count: found nothing", b => b.Remove("llama.attention.head_count") },
        { "llama.attention.head_count: found 3", b => b.Set("llama.attention.head_count", 3u) },
        { "llama.attention.head_count: found 0", b => b.Set("llama.attention.head_count", 0u) },
        { "llama.attention.head_count_kv: found 2 values", b => b.Set("llama.attention.head_count_kv", new[] { 1, 1 }) },
        { "llama.attention.head_count_kv: found 2 in layer 1 after 1", b => b.Set("llama.block_count", 2u).Set("llama.attention.head_count_kv", new[] { 1, 2 }) },
        { "num_hidden_layers", b => b.Set("llama.block_count", 0u) },
        { "num_hidden_layers", b => b.Set("llama.block_count", 1 << 30) },
        { "llama.attention.layer_norm_rms_epsilon: found nothing", b => b.Remove("llama.attention.layer_norm_rms_epsilon") },
        { "llama.attention.layer_norm_rms_epsilon: found a value of type String", b => b.Set("llama.attention.layer_norm_rms_epsilon", "small") },
        { "rms_norm_eps", b => b.Set("llama.attention.layer_norm_rms_epsilon", float.NaN) },
        { "llama.rope.dimension_count: found 2", b => b.Set("llama.rope.dimension_count", 2u) },
        { "llama.attention.value_length: found 8", b => b.Set("llama.attention.value_length", 8u) },
        { "llama.rope.scaling.type: found 'yarn'", b => b.Set("llama.rope.scaling.type", "yarn") },
        { "rope_scaling.factor: found 0.5", b => b.Set("llama.rope.scaling.factor", 0.5f) },
        { "llama.expert_count: found 8", b => b.Set("llama.expert_count", 8u) },
        { "bos_token_id: found 6", b => b.Set("tokenizer.ggml.bos_token_id", 6u) },
        { "general.architecture: found the key twice", b => b.Append("general.architecture", "llama") },
        { "found value type 13", b => b.SetRaw("odd", 13, 0, 0, 0) },
        { "odd: found value type 99", b => b.SetRaw("odd", 9, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) },
        { "odd: found arrays in arrays", b => b.Set("odd", Nested(9)) },
        { "odd: found 281,474,976,710,655", b => b.SetRaw("odd", 9, 0, 0, 0, 10, 0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0) },
        { "odd: found 281,474,976,710,655", b => b.SetRaw("odd", 8, 0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0) },
        { "general.architecture: found bytes that are no UTF-8", b => b.SetRaw("general.architecture", 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xFF) },
        { "tensor 'output.weight': found the name twice", b => b.Matrix("output.weight", 6, 8) },
        { "tensor 'output.weight': found 5 dimensions", b => b.Change("output.weight", t => t with { Sizes = [8, 6, 1, 1, 1] }) },
        { "tensor 'output.weight': found 0 dimensions", b => b.Change("output.weight", t => t with { Sizes = [] }) },
        { "tensor 'output.weight': found the shape 8 × 3 × 2 × 1", b => b.Change("output.weight", t => t with { Sizes = [8, 3, 2] }) },
        { "tensor 'output.weight': found the shape 0", b => b.Change("output.weight", t => t with { Sizes = [0, 6] }) },
        { "tensor 'output.weight': found the shape 8 × 4294967296", b => b.Change("output.weight", t => t with { Sizes = [8, 1UL << 32] }) },
        { "tensor 'output.weight': found 6 × 4, expected 6 × 8", b => b.Change("output.weight", t => t with { Sizes = [4, 6] }) },
        { "tensor 'output.weight': found Q4_1", b => b.Change("output.weight", t => t with { Type = 3 }) },
        { "tensor 'output.weight': found tensor type 77", b => b.Change("output.weight", t => t with { Type = 77 }) },
        { "tensor 'output.weight': found rows of 8", b => b.Change("output.weight", t => t with { Type = 8 }) },
        { "tensor 'output.weight': found an offset of 33", b => b.Change("output.weight", t => t with { Offset = 33 }) },
        { "tensor 'output.weight': found an offset of 18446744073709551584", b => b.Change("output.weight", t => t with { Offset = ulong.MaxValue - 31 }) },
        { "tensor 'output.weight': found an offset of 9223372036854775776", b => b.Change("output.weight", t => t with { Offset = long.MaxValue - 31 }) },
        { "inside another tensor", b => b.Change("output.weight", t => t with { Offset = 0 }) },
        { "bytes behind its offset", b => b.Change("output.weight", t => t with { Bytes = t.Bytes[..^1] }) },
        { "tensor 'blk.0.ffn_up.weight': found nothing", b => b.RemoveTensor("blk.0.ffn_up.weight") },
        { "tensor 'blk.0.attn_q.bias': found a tensor", b => b.Vector("blk.0.attn_q.bias", 8) },
        { "tensor 'rope_freqs.weight': found rotary", b => b.Vector("rope_freqs.weight", 2) },
        { "tensor 'rope_freqs.weight': found 1 × 3", b => b.Vector("rope_freqs.weight", 3) },
        { "tokenizer.ggml.model: found 'gpt2'", b => b.Set("tokenizer.ggml.model", "gpt2") },
        { "tokenizer.ggml.tokens: found 6 elements", b => b.Set("llama.vocab_size", 7u).RemoveTensor("token_embd.weight").RemoveTensor("output.weight").Matrix("token_embd.weight", 7, 8) },
        { "tokenizer.ggml.tokens: found a value of type Int32", b => b.Set("llama.vocab_size", 6u).Set("tokenizer.ggml.tokens", 6) },
        { "tokenizer.ggml.tokens: found elements of type Int32", b => b.Set("tokenizer.ggml.tokens", new int[6]) },
        { "tokenizer.ggml.scores: found nothing", b => b.Remove("tokenizer.ggml.scores") },
        { "tokenizer.ggml.scores: found elements of type Int32", b => b.Set("tokenizer.ggml.scores", new int[6]) },
        { "tokenizer.ggml.scores: found not a number for id 2", b => b.Set("tokenizer.ggml.scores", new[] { 0, 0, float.NaN, 0, 0, 0 }) },
        { "tokenizer.ggml.token_type: found 7 for id 1", b => b.Set("tokenizer.ggml.token_type", new[] { 2, 7, 3, 4, 1, 1 }) },
        { "tokenizer.ggml.unknown_token_id: found 6", b => b.Set("tokenizer.ggml.unknown_token_id", 6u) },
        { "tokenizer.ggml.add_space_prefix: found a value of type UInt32", b => b.Set("tokenizer.ggml.add_space_prefix", 1u) },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Open_FaultyFile_SaysWhatIsWrong(string message, Func<GgufBuilder, GgufBuilder> change)
    {
        var exception = Assert.Throws<CheckpointException>(() => ReadAll(change(GgufBuilder.Model()).Build()));
        Assert.Contains(message, exception.Message, StringComparison.Ordinal);
        Assert.Equal(_path, exception.File);
    }

    [Fact]
    public void Open_FileCutAnywhere_IsRefused()
    {
        for (int length = 0; length < _model.Length; length += length < 600 ? 1 : 13)
        {
            Assert.Throws<CheckpointException>(() => ReadAll(_model[..length]));
        }
    }

    [Property(MaxTest = 400, Replay = "(1789,3)")]
    public Property Open_FlippedBytes_OpensOrIsRefusedWithinBoundedMemory()
    {
        Gen<(int Position, byte Value)> flip =
            from position in Gen.Choose(0, _model.Length - 1)
            from value in Gen.Choose(0, 255)
            select (position, (byte)value);
        return Prop.ForAll(Gen.ListOf(flip, 3).ToArbitrary(), flips =>
        {
            byte[] bytes = [.. _model];
            foreach ((int position, byte value) in flips)
            {
                bytes[position] = value;
            }

            return OpensOrIsRefused(bytes);
        });
    }

    [Property(MaxTest = 400, Replay = "(1790,5)")]
    public Property Open_ExtremeNumbersAnywhere_OpensOrIsRefusedWithinBoundedMemory()
    {
        Gen<(int Position, ulong Value)> splice =
            from position in Gen.Choose(0, 1700)                                           // header
            from value in Gen.Elements<ulong>(0UL, 1UL, 0xFFUL, 0xFFFFUL, 1UL << 31, uint.MaxValue, 1UL << 40, 1UL << 62, long.MaxValue, ulong.MaxValue)
            select (position, value);
        return Prop.ForAll(splice.ToArbitrary(), change =>
        {
            byte[] bytes = [.. _model];
            BitConverter.TryWriteBytes(bytes.AsSpan(change.Position), change.Value);
            return OpensOrIsRefused(bytes);
        });
    }

    private static Array Nested(int levels) => levels == 1 ? new[] { 1 } : Wrap(Nested(levels - 1));

    private static Array Wrap(Array inner)
    {
        var outer = Array.CreateInstance(inner.GetType(), 1);
        outer.SetValue(inner, 0);
        return outer;
    }

    private bool OpensOrIsRefused(byte[] bytes)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Exception? exception = Record.Exception(() => ReadAll(bytes));
        return exception is null or CheckpointException && GC.GetAllocatedBytesForCurrentThread() - before < 400_000;
    }

    /// <summary>Opens a file and reads everything that it holds.</summary>
    private void ReadAll(byte[] bytes)
    {
        File.WriteAllBytes(_path, bytes);
        using var checkpoint = new GgufCheckpoint(_path);
        foreach (CheckpointTensor tensor in checkpoint.Tensors.Values)
        {
            float[] weights = new float[tensor.Columns];
            for (int row = 0; row < tensor.Rows; row++)
            {
                tensor.ReadRow(row, weights);
            }
        }

        LlamaTokenizer? tokenizer = checkpoint.LoadTokenizer();
        Assert.True(tokenizer is null || tokenizer.VocabularySize == checkpoint.Config.VocabularySize);
    }

    private GgufCheckpoint Open(GgufBuilder builder)
    {
        File.WriteAllBytes(_path, builder.Build());
        return new GgufCheckpoint(_path);
    }

    private static float[] Row(Checkpoint checkpoint, string name, int row)
    {
        float[] weights = new float[checkpoint.Tensors[name].Columns];
        checkpoint.Tensors[name].ReadRow(row, weights);
        return weights;
    }
}
