using Xunit;

namespace Llama2.Testing;

/// <summary>What a backend that runs adapters beside its weights must do; its tests derive from this class.</summary>
public abstract class AdapterContract
{
    private static readonly int[] _tokens = [1, 17, 300, 5, 5, 42, 260, 99, 3, 318, 7, 11, 64, 201, 150, 31, 8];

    /// <summary>The largest absolute error of a logit against double precision, for single-precision weights of <see cref="TinyModels"/>' size.</summary>
    protected virtual double Tolerance => 1e-4;

    /// <summary>Whether a batch must give the same bits as its pieces run alone; otherwise <see cref="Tolerance"/> holds.</summary>
    protected virtual bool BatchIsExact => true;

    public static TheoryData<string> Kinds => [.. NamedKinds.Keys];

    private static Dictionary<string, (LoraOptions Options, LlamaConfig Config)> NamedKinds { get; } = new()
    {
        ["every projection"] = (TinyAdapters.Options, TinyModels.Config),
        ["queries and values, rank 1"] = (new() { Rank = 1, Alpha = 2 }, TinyModels.Config),
        ["down projections, rank 20"] = (new() { Rank = 20, Alpha = 20, TargetModules = ["down_proj"] }, TinyModels.Config),
        ["scaled by the root of the rank"] = (TinyAdapters.Options with { Rank = 4, Alpha = 2, RankStabilized = true }, TinyModels.Config),
        ["tied head"] = (TinyAdapters.Options, TinyModels.Config with { TieWordEmbeddings = true }),
        ["rows of odd lengths"] = (TinyAdapters.Options, TinyModels.Config with { HiddenSize = 45, IntermediateSize = 71, HeadSize = 6 }),
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Forward_WithAnAdapter_EqualsDoublePrecision(string kind)
    {
        (LoraOptions options, LlamaConfig config) = NamedKinds[kind];
        using RandomCheckpoint checkpoint = TinyModels.Create(5, config);
        LoraAdapter adapter = TinyAdapters.Create(6, options, config);
        using LlamaBackend backend = Load(checkpoint);
        using BackendAdapter loaded = backend.LoadAdapter(adapter);
        double[][] expected = new ReferenceModel(checkpoint, adapter).Logits(_tokens);
        float[][] logits = backend.Logits(_tokens, loaded), bare = backend.Logits(_tokens);
        for (int row = 0; row < expected.Length; row++)
        {
            AssertClose(expected[row], logits[row], $"row {row}");
            Assert.True(bare[row].Zip(logits[row], (left, right) => Math.Abs(left - right)).Max() > 100 * Tolerance, "The adapter hardly matters.");
        }
    }

    [Fact]
    public void Forward_TokenByToken_EqualsWholePrompt()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint);
        using BackendAdapter adapter = backend.LoadAdapter(TinyAdapters.Create());
        float[][] whole = backend.Logits(_tokens, adapter);
        using KeyValueCache cache = backend.CreateCache();
        for (int i = 0; i < _tokens.Length; i++)
        {
            AssertSame(whole[i], backend.Logits(cache, [_tokens[i]], adapter)[^1], $"token {i}");
        }
    }

    [Fact]
    public void Forward_MixedAdapters_EqualPiecesAlone()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint);
        int[][] prompts = [[1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7], [5], [1, 2, 3, 4, 5, 6, 7], [9, 8, 7]];
        float[][] before = backend.Logits(prompts[0]);
        using BackendAdapter small = backend.LoadAdapter(TinyAdapters.Create(1, new() { Rank = 1, Alpha = 2 }));
        using BackendAdapter large = backend.LoadAdapter(TinyAdapters.Create(2, TinyAdapters.Options with { Rank = 5, Alpha = 5 }));
        BackendAdapter?[] adapters = [null, small, large, large, null];
        float[][] alone = [.. prompts.Zip(adapters, (prompt, adapter) => backend.Logits(prompt, adapter)[^1])];

        KeyValueCache[] caches = [.. prompts.Select(_ => backend.CreateCache())];
        var batch = new LlamaBatch();
        for (int i = 0; i < prompts.Length; i++)
        {
            batch.Add(caches[i], prompts[i], LogitRows.Last, adapters[i]);
        }

        int vocabulary = backend.Config.VocabularySize;
        float[] logits = new float[batch.LogitRowCount * vocabulary];
        backend.Forward(batch, logits);
        for (int i = 0; i < prompts.Length; i++)
        {
            AssertSame(alone[i], logits[(i * vocabulary)..((i + 1) * vocabulary)], $"piece {i}");
        }

        Assert.Equal(before, backend.Logits(prompts[0]));                  // to the bit, in every backend
        Assert.NotEqual(alone[0], alone[1]);
        Assert.NotEqual(alone[1], alone[3]);
        Array.ForEach(caches, cache => cache.Dispose());
    }

    [Fact]
    public void LoadAdapter_OfAnotherShape_NamesTheMatrix()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint);
        AssertRefused(TinyModels.Config with { HiddenSize = 32 }, "model.layers.0.self_attn.q_proj.weight");
        AssertRefused(TinyModels.Config with { LayerCount = 1 }, "model.layers.1.self_attn.q_proj.weight");
        AssertRefused(TinyModels.Config with { LayerCount = 3 }, "model.layers.2.self_attn.q_proj.weight");

        void AssertRefused(LlamaConfig config, string matrix) => Assert.Contains(
            matrix, Assert.Throws<ArgumentException>(() => backend.LoadAdapter(TinyAdapters.Create(1, null, config))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Forward_AdapterOfAnotherBackendOrDisposed_IsRefusedAndChangesNothing()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using LlamaBackend backend = Load(checkpoint), other = Load(checkpoint);
        using BackendAdapter foreign = other.LoadAdapter(TinyAdapters.Create());
        BackendAdapter gone = backend.LoadAdapter(TinyAdapters.Create());
        Assert.True(gone.ByteSize > 0);
        gone.Dispose();
        gone.Dispose();
        foreach (BackendAdapter adapter in new[] { foreign, gone })
        {
            using KeyValueCache cache = backend.CreateCache();
            Assert.Throws<ArgumentException>(() => backend.Logits(cache, [1, 2], adapter));
            Assert.Equal(0, cache.Length);
        }
    }

    /// <summary>Loads a checkpoint in single precision.</summary>
    protected abstract LlamaBackend Load(Checkpoint checkpoint);

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
}
