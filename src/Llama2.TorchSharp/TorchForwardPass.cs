using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Llama2.TorchSharp;

/// <summary>The forward pass on libtorch: a batch of tokens of any sequences through every block, then logits for the rows that are wanted.</summary>
/// <remarks>The residual stream and the norms are in single precision, products in the type of the weights. One caller at a time.</remarks>
internal sealed class TorchForwardPass(LlamaConfig config, TorchWeights weights, TorchCachePool caches, ScalarType type, Device device) : IDisposable
{
    private static readonly Scalar _one = 1;
    private readonly TorchRotary _rotary = new(config, type, device);
    private readonly Scalar _epsilon = config.RmsNormEpsilon;

    /// <summary>Told what every block leaves: to compare backends.</summary>
    public BlockOutput? BlockDone { get; set; }

    /// <summary>Runs the batch; the caller has checked it, reserved the caches and holds their gate.</summary>
    public void Run(LlamaBatch batch, Span<float> logits)
    {
        using IDisposable inference = inference_mode();
        using DisposeScope temporaries = NewDisposeScope();
        var step = new TorchStep(batch, config, type, device, _rotary);
        Tensor hidden = weights.Embedding.index_select(0, step.Ids).to(ScalarType.Float32);
        for (int index = 0; index < weights.Layers.Length; index++)
        {
            using DisposeScope block = NewDisposeScope();                // or the temporaries of all blocks would be alive together
            TorchLayer layer = weights.Layers[index];
            Tensor attended = Attention(step, index, Normalize(hidden, layer.AttentionNorm));
            hidden.add_(Multiply(step, layer.AttentionOutput, attended));
            hidden.add_(FeedForward(step, layer, Normalize(hidden, layer.FeedForwardNorm)));
            if (BlockDone is not null)
            {
                BlockDone(index, MemoryMarshal.Cast<byte, float>(hidden.cpu().bytes));
            }
        }

        if (batch.LogitRowCount > 0)
        {
            Tensor rows = Normalize(hidden.index_select(0, step.LogitRowsOfHidden), weights.OutputNorm);
            CopyToHost(linear(rows, weights.Head), logits);
        }
    }

    public void Dispose()
    {
        _rotary.Dispose();
        _epsilon.Dispose();
    }

    private Tensor Attention(TorchStep step, int layer, Tensor normed)
    {
        int size = config.HeadSize, queries = config.HeadCount, keys = config.KeyValueHeadCount;
        Tensor heads = Multiply(step, weights.Layers[layer].QueryKeyValue, normed).view(step.Tokens, queries + 2 * keys, size);
        Tensor turned = heads.narrow(1, 0, queries + keys);
        Tensor swapped = turned.roll(size / 2, -1);
        turned.mul_(step.Cosines).addcmul_(swapped, step.Sines, _one);
        Tensor pool = caches[layer];
        pool.index_copy_(0, step.Slots, heads.narrow(1, queries, 2 * keys).view(step.Tokens, 2, keys, size));
        Tensor[] attended = [.. step.Attentions.Select(attention => attention.Run(heads.narrow(1, 0, queries), pool))];
        return attended is [Tensor all] ? all : cat(attended);
    }

    private Tensor FeedForward(TorchStep step, TorchLayer layer, Tensor normed)
    {
        Tensor both = Multiply(step, layer.GateUp, normed);
        Tensor gate = both.narrow(1, 0, config.IntermediateSize), up = both.narrow(1, config.IntermediateSize, config.IntermediateSize);
        return Multiply(step, layer.Down, gate.silu_().mul_(up));
    }

    /// <summary>The product with a matrix, and with what stands beside it for tokens that have an adapter.</summary>
    private static Tensor Multiply(TorchStep step, Tensor matrix, Tensor input)
    {
        Tensor product = linear(input, matrix);
        foreach ((TorchAdapter adapter, int first, int count) in step.Adapters)
        {
            adapter.AddTo(matrix, input.narrow(0, first, count), product.narrow(0, first, count));
        }

        return product;
    }

    /// <summary>x / √(mean x² + ε) · weight, in single precision; the result in the type of the products.</summary>
    private Tensor Normalize(Tensor hidden, Tensor weight)
    {
        Tensor scale = hidden.square().mean([-1], keepdim: true).add_(_epsilon).rsqrt_();
        return hidden.mul(scale).mul_(weight).to(type);
    }

    private static void CopyToHost(Tensor rows, Span<float> logits)
    {
        long perCopy = Math.Max(1, int.MaxValue / sizeof(float) / rows.shape[1]);      // a span of bytes has at most 2 GB
        for (long first = 0; first < rows.shape[0]; first += perCopy)
        {
            using Tensor host = rows.narrow(0, first, Math.Min(perCopy, rows.shape[0] - first)).to(ScalarType.Float32).cpu();
            MemoryMarshal.Cast<byte, float>(host.bytes).CopyTo(logits[(int)(first * rows.shape[1])..]);
        }
    }
}
