using System.Runtime.InteropServices;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Llama2.TorchSharp;

/// <summary>Attention of some tokens of a step over the keys and values of their sequences; the same for every block.</summary>
internal abstract class TorchAttention
{
    /// <summary>Attends, once the tokens' own keys and values are stored.</summary>
    /// <param name="queries">All queries of the step: [tokens, heads, headSize].</param>
    /// <param name="pool">Keys and values of the block: [rows, 2, kvHeads, headSize].</param>
    /// <returns>[its tokens, heads · headSize].</returns>
    public abstract Tensor Run(Tensor queries, Tensor pool);

    /// <summary>One token each of several sequences, as many as there are lengths, the first of the step: padded to the longest.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="lengths">The lengths of the sequences, their token included.</param>
    /// <param name="longest">The length to pad to.</param>
    /// <param name="rows">The rows of the pool: [sequences · longest].</param>
    /// <param name="type">Of the activations.</param>
    /// <param name="device">The device.</param>
    public static TorchAttention Together(LlamaConfig config, int[] lengths, long longest, Tensor rows, ScalarType type, Device device)
    {
        float[] mask = new float[lengths.Length * longest];
        Array.Fill(mask, float.NegativeInfinity);
        for (int i = 0; i < lengths.Length; i++)
        {
            mask.AsSpan((int)(i * longest), lengths[i]).Clear();
        }

        using Tensor host = empty(lengths.Length, 1, 1, longest);
        MemoryMarshal.AsBytes<float>(mask).CopyTo(host.bytes);
        return new TogetherAttention(config, lengths.Length, longest, rows, host.to(type, device, copy: true));
    }

    /// <summary>All tokens of one piece.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="first">Its first token in the step.</param>
    /// <param name="count">Its tokens.</param>
    /// <param name="cache">Its sequence, whose earlier tokens it sees.</param>
    /// <param name="type">Of the activations.</param>
    /// <param name="device">The device.</param>
    public static TorchAttention Alone(LlamaConfig config, long first, int count, TorchKeyValueCache cache, ScalarType type, Device device)
    {
        // A whole prompt is causal in libtorch's own sense, and one token sees everything; only a later chunk needs a mask.
        Tensor? mask = count > 1 && cache.Length > 0
            ? full([count, cache.Length + count], float.NegativeInfinity, dtype: type, device: device).triu_(cache.Length + 1)
            : null;
        return new AloneAttention(config, first, count, cache.Start, cache.Length + count, mask);
    }

    private sealed class TogetherAttention(LlamaConfig config, int sequences, long longest, Tensor rows, Tensor mask) : TorchAttention
    {
        public override Tensor Run(Tensor queries, Tensor pool)
        {
            int size = config.HeadSize, shared = config.KeyValueHeadCount, group = config.HeadCount / shared;
            Tensor query = queries.narrow(0, 0, sequences).view(sequences, shared, group, size);      // those that share keys stand as tokens of one head
            Tensor gathered = pool.index_select(0, rows).view(sequences, longest, 2, shared, size);
            Tensor key = gathered.select(2, 0).transpose(1, 2), value = gathered.select(2, 1).transpose(1, 2);
            return scaled_dot_product_attention(query, key, value, mask).reshape(sequences, config.HeadCount * size);
        }
    }

    private sealed class AloneAttention(LlamaConfig config, long first, int count, long start, long length, Tensor? mask) : TorchAttention
    {
        public override Tensor Run(Tensor queries, Tensor pool)
        {
            int size = config.HeadSize, shared = config.KeyValueHeadCount, group = config.HeadCount / shared;
            Tensor query = queries.narrow(0, first, count).view(count, shared, group, size).permute(1, 2, 0, 3);
            Tensor rows = pool.narrow(0, start, length);
            Tensor key = Repeat(rows.select(1, 0)), value = Repeat(rows.select(1, 1));
            return scaled_dot_product_attention(query, key, value, mask, is_casual: count > 1 && mask is null)
                .permute(2, 0, 1, 3).reshape(count, config.HeadCount * size);

            // [kvHeads, group, length, headSize], without copying.
            Tensor Repeat(Tensor heads) => heads.transpose(0, 1).unsqueeze(1).expand(shared, group, length, size);
        }
    }
}
