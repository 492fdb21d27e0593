using System.Numerics.Tensors;

namespace Llama2.Testing;

/// <summary>Runs a backend on plain arrays.</summary>
public static class BackendRunner
{
    /// <summary>Logits behind every token of a fresh sequence, read in one pass.</summary>
    public static float[][] Logits(this LlamaBackend backend, IReadOnlyList<int> tokens, BackendAdapter? adapter = null)
    {
        using KeyValueCache cache = backend.CreateCache();
        return backend.Logits(cache, tokens, adapter);
    }

    /// <summary>Logits behind every one of these tokens, which follow those that the cache holds.</summary>
    public static float[][] Logits(this LlamaBackend backend, KeyValueCache cache, IReadOnlyList<int> tokens, BackendAdapter? adapter = null)
    {
        var batch = new LlamaBatch();
        batch.Add(cache, [.. tokens], LogitRows.All, adapter);
        float[] logits = new float[tokens.Count * backend.Config.VocabularySize];
        backend.Forward(batch, logits);
        return [.. logits.Chunk(backend.Config.VocabularySize)];
    }

    /// <summary>The likeliest continuation, token by token.</summary>
    public static int[] Greedy(this LlamaBackend backend, IReadOnlyList<int> prompt, int count)
    {
        using KeyValueCache cache = backend.CreateCache();
        int[] generated = new int[count];
        int next = TensorPrimitives.IndexOfMax(backend.Logits(cache, prompt)[^1]);
        for (int i = 0; i < count; i++)
        {
            generated[i] = next;
            next = TensorPrimitives.IndexOfMax(backend.Logits(cache, [next])[^1]);
        }

        return generated;
    }
}
