using Xunit;

namespace Llama2.Testing;

/// <summary>What every backend must do; a backend's tests derive from this class.</summary>
public abstract class LlamaBackendContract
{
    private static readonly int[] _tokens = [1, 17, 300, 5, 5, 42, 260, 99, 3, 318, 7, 11, 64, 201, 150, 31, 8];

    /// <summary>The largest absolute error of a logit against double precision, for single-precision weights of <see cref="TinyModels"/>' size.</summary>
    protected virtual double Tolerance => 1e-4;

    /// <summary>Whether a batch must give the same bits as its pieces run alone; otherwise <see cref="Tolerance"/> holds.</summary>
    protected virtual bool BatchIsExact => true;

    public static TheoryData<string> Shapes => [.. NamedShapes.Keys];

    private static Dictionary<string, LlamaConfig> NamedShapes { get; } = new()
    {
        ["grouped-query"] = TinyModels.Config,
        ["multi-head"] = TinyModels.Config with { KeyValueHeadCount = 4 },
        ["multi-query, tied"] = TinyModels.Config with { KeyValueHeadCount = 1, TieWordEmbeddings = true },
        ["head size apart from hidden size"] = TinyModels.Config with { HeadSize = 10, HeadCount = 6, KeyValueHeadCount = 3 },
        ["rows of odd lengths"] = TinyModels.Config with { HiddenSize = 45, IntermediateSize = 71, HeadSize = 6 },
        ["large epsilon and theta"] = TinyModels.Config with { RmsNormEpsilon = 1e-2f, RopeTheta = 1e6f },
        ["linear scaling"] = TinyModels.Config with { RopeScaling = new(RopeScalingKind.Linear, 2.5f) },
        ["dynamic scaling beyond the trained context"] = TinyModels.Config with { RopeScaling = new(RopeScalingKind.Dynamic, 2), ContextLength = 8 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_WholePrompt_EqualsDoublePrecision(string shape)
    {
        LlamaConfig config = NamedShapes[shape];
        using RandomCheckpoint checkpoint = TinyModels.Create(5, config);
        using LlamaBackend backend = Load(checkpoint, contextLength: 256);
        double[][] expected = new ReferenceModel(checkpoint).Logits(_tokens);
        float[][] logits = backend.Logits(_tokens);
        for (int row = 0; row < expected.Length; row++)
        {
            AssertClose(expected[row], logits[row], $"row {row}");
        }
    }

    [Fact]
    public void Forward_TokenByToken_EqualsWholePrompt()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint);
        float[][] whole = backend.Logits(_tokens);
        using KeyValueCache cache = backend.CreateCache();
        for (int i = 0; i < _tokens.Length; i++)
        {
            AssertSame(whole[i], backend.Logits(cache, [_tokens[i]])[^1], $"token {i}");
            Assert.Equal(i + 1, cache.Length);
        }
    }

    [Fact]
    public void Forward_MixedBatch_EqualsPiecesAlone()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint);
        int[][] prompts = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 300], [5], [1, 44, 45, 46, 47], [9, 8, 7, 6, 5, 4]];
        float[][] alone = [.. prompts.Select(prompt => backend.Logits(prompt)[^1])];
        float[][] all = backend.Logits(prompts[3]);

        KeyValueCache[] caches = [.. prompts.Select(_ => backend.CreateCache())];
        backend.Logits(caches[0], [prompts[0][0]]);                       // so that the pieces start at different positions
        var batch = new LlamaBatch();
        batch.Add(caches[0], prompts[0].AsSpan(1), LogitRows.Last);
        batch.Add(caches[1], prompts[1], LogitRows.Last);
        batch.Add(caches[2], prompts[2], LogitRows.Last);
        batch.Add(caches[3], prompts[3], LogitRows.All);
        batch.Add(caches[4], prompts[4], LogitRows.None);
        int vocabulary = backend.Config.VocabularySize;
        float[] logits = new float[batch.LogitRowCount * vocabulary];
        backend.Forward(batch, logits);

        Assert.Equal(8, batch.LogitRowCount);
        for (int i = 0; i < 3; i++)
        {
            AssertSame(alone[i], logits[(i * vocabulary)..((i + 1) * vocabulary)], $"piece {i}");
        }

        for (int row = 0; row < all.Length; row++)
        {
            AssertSame(all[row], logits[((3 + row) * vocabulary)..((4 + row) * vocabulary)], $"piece 3, row {row}");
        }

        Assert.Equal(prompts.Select(prompt => prompt.Length), caches.Select(cache => cache.Length));
        AssertSame(backend.Logits([.. prompts[4], 12])[^1], backend.Logits(caches[4], [12])[^1], "the piece without logits, one token later");
        Array.ForEach(caches, cache => cache.Dispose());
    }

    [Fact]
    public void Rewind_ThenForward_EqualsFreshSequence()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint);
        using KeyValueCache cache = backend.CreateCache();
        foreach (int token in _tokens)
        {
            backend.Logits(cache, [token]);
        }

        cache.Rewind(4);
        Assert.Equal(4, cache.Length);
        int[] other = [.. _tokens[..4], 222];
        AssertSame(backend.Logits(other)[^1], backend.Logits(cache, [222])[^1], "after the rewind");
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Rewind(6));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Rewind(-1));
    }

    [Fact]
    public void Fork_BothGoOn_IndependentSequences()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint);
        using KeyValueCache cache = backend.CreateCache();
        int[] prompt = [.. Enumerable.Range(0, 70).Select(i => 1 + i * 37 % 300)];       // longer than a block of the cache
        var batch = new LlamaBatch();
        batch.Add(cache, prompt, LogitRows.None);
        backend.Forward(batch, []);
        using KeyValueCache fork = cache.Fork(40);
        AssertSame(backend.Logits([.. prompt, 12])[^1], backend.Logits(cache, [12])[^1], "the original");
        AssertSame(backend.Logits([.. prompt[..40], 13])[^1], backend.Logits(fork, [13])[^1], "the fork");
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Fork(cache.Length + 1));
    }

    [Fact]
    public void Forward_Refused_ChangesNothing()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint, contextLength: 4), stranger = Load(checkpoint);
        using KeyValueCache cache = backend.CreateCache(), foreign = new ForeignCache();
        backend.Logits(cache, [5]);
        Refuse(cache, [1, 320], LogitRows.Last);                       // not in the vocabulary
        Refuse(cache, [-1], LogitRows.Last);
        Refuse(cache, [1, 2, 3, 4], LogitRows.Last);                   // more than the context holds
        Refuse(foreign, [1], LogitRows.Last);
        Assert.Throws<ArgumentException>(() => backend.Forward(new LlamaBatch(), []));
        var batch = new LlamaBatch();
        batch.Add(cache, [1], LogitRows.Last);
        Assert.Throws<ArgumentException>(() => backend.Forward(batch, new float[backend.Config.VocabularySize - 1]));
        Assert.Equal(1, cache.Length);
        AssertSame(backend.Logits([5, 6])[^1], backend.Logits(cache, [6])[^1], "after the refusals");

        void Refuse(KeyValueCache into, int[] tokens, LogitRows rows)
        {
            var refused = new LlamaBatch();
            using KeyValueCache good = backend.CreateCache();
            refused.Add(good, [1], LogitRows.Last);
            refused.Add(into, tokens, rows);
            Assert.Throws<ArgumentException>(() => backend.Forward(refused, new float[refused.LogitRowCount * backend.Config.VocabularySize]));
            Assert.Equal(0, good.Length);
        }
    }

    [Fact]
    public void Info_AndCacheBytes_TellWhatIsUsed()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint);
        using KeyValueCache cache = backend.CreateCache();
        Assert.Equal(256, cache.Capacity);
        Assert.NotEmpty(backend.Info.Device);
        Assert.NotEmpty(backend.Info.Kernels);
        Assert.True(backend.Info.WeightBytes >= checkpoint.Config.ParameterCount * 2);
        Assert.True(backend.Info.CacheBytesPerToken > 0);
        backend.Logits(cache, [1]);
        Assert.Equal(backend.CacheBytes(1), cache.ByteSize);
    }

    /// <summary>Loads a checkpoint in single precision.</summary>
    protected abstract LlamaBackend Load(Checkpoint checkpoint, int? contextLength = null);

    private void AssertSame(float[] expected, float[] actual, string what)
    {
        if (BatchIsExact)
        {
            Assert.Equal(expected, actual);
        }
        else
        {
            AssertClose(Array.ConvertAll(expected, value => (double)value), actual, what);
        }
    }

    private void AssertClose(double[] expected, float[] actual, string what)
    {
        double worst = expected.Zip(actual, (left, right) => Math.Abs(left - right)).Max();
        Assert.True(worst <= Tolerance, $"{what}: the largest error of a logit is {worst:G3}, {Tolerance:G3} are allowed.");
    }

    private sealed class ForeignCache : KeyValueCache
    {
        public override int Capacity => 8;

        public override long ByteSize => 0;

        public override KeyValueCache Fork(int length) => new ForeignCache();
    }
}
