using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Llama2.TorchSharp;

/// <summary>An adapter's numbers on the device, in the type of the weights, by the products that they stand beside.</summary>
/// <remarks>
/// Where several projections are one product, so are their adapters: A one above the other, B in blocks on the diagonal. The zeros around them cost
/// less than further operations would.
/// </remarks>
internal sealed class TorchAdapter : BackendAdapter
{
    private readonly TorchWeights _weights;
    private readonly Dictionary<Tensor, TorchLoraFactors> _factors = new(ReferenceEqualityComparer.Instance);

    public TorchAdapter(TorchWeights weights, LlamaConfig config, LoraAdapter adapter, ScalarType type, Device device)
    {
        _weights = weights;
        Dictionary<string, LoraFactors> byName = adapter.Factors.ToDictionary(factors => factors.Weight);
        try
        {
            using IDisposable inference = inference_mode();
            for (int layer = 0; layer < config.LayerCount; layer++)
            {
                int queries = config.HeadCount * config.HeadSize, keys = config.KeyValueHeadCount * config.HeadSize;
                Add(weights.Layers[layer].QueryKeyValue, (TensorNames.Query(layer), queries), (TensorNames.Key(layer), keys), (TensorNames.Value(layer), keys));
                Add(weights.Layers[layer].AttentionOutput, (TensorNames.AttentionOutput(layer), config.HiddenSize));
                Add(weights.Layers[layer].GateUp, (TensorNames.Gate(layer), config.IntermediateSize), (TensorNames.Up(layer), config.IntermediateSize));
                Add(weights.Layers[layer].Down, (TensorNames.Down(layer), config.HiddenSize));
            }
        }
        catch
        {
            Dispose();
            throw;
        }

        void Add(Tensor product, params (string Name, int Rows)[] projections)
        {
            (LoraFactors? Factors, int Rows)[] parts = [.. projections.Select(projection => (byName.GetValueOrDefault(projection.Name), projection.Rows))];
            int count = parts.Count(part => part.Factors is not null), rank = adapter.Options.Rank;
            if (count == 0)
            {
                return;
            }

            int inputs = parts.First(part => part.Factors is not null).Factors!.A.Columns;
            using Tensor a = zeros(count * rank, inputs), b = zeros(parts.Sum(part => part.Rows), count * rank);
            int low = 0, output = 0;
            foreach ((LoraFactors? factors, int rows) in parts)
            {
                if (factors is not null)
                {
                    using Tensor ownA = Host(factors.A), ownB = Host(factors.B), rowsOfA = a.narrow(0, low, rank);
                    using Tensor rowsOfB = b.narrow(0, output, rows), block = rowsOfB.narrow(1, low, rank);
                    rowsOfA.copy_(ownA);
                    block.copy_(ownB.mul_(adapter.Options.Scale));
                    low += rank;
                }

                output += rows;
            }

            _factors.Add(product, new(a.to(type, device, copy: true).DetachFromDisposeScope(), b.to(type, device, copy: true).DetachFromDisposeScope()));
        }
    }

    public bool IsDisposed { get; private set; }

    public override long ByteSize => _factors.Values.Sum(factors => (factors.A.numel() + factors.B.numel()) * factors.A.element_size());

    /// <summary>Whether the adapter was made for these weights and is still there.</summary>
    public bool Fits(TorchWeights weights) => ReferenceEquals(_weights, weights) && !IsDisposed;

    /// <summary>output += scale · B · (A · input), for the rows of this adapter.</summary>
    /// <param name="product">The weights of the product.</param>
    /// <param name="input">[rows, inputs].</param>
    /// <param name="output">[rows, outputs].</param>
    public void AddTo(Tensor product, Tensor input, Tensor output)
    {
        if (_factors.TryGetValue(product, out TorchLoraFactors? factors))
        {
            output.add_(nn.functional.linear(nn.functional.linear(input, factors.A), factors.B));
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (!IsDisposed)
        {
            IsDisposed = true;
            foreach (TorchLoraFactors factors in _factors.Values)
            {
                factors.A.Dispose();
                factors.B.Dispose();
            }
        }

        base.Dispose(disposing);
    }

    private static Tensor Host(CheckpointTensor tensor)
    {
        Tensor host = empty(tensor.Rows, tensor.Columns);
        MemoryMarshal.AsBytes<float>(tensor.ReadAll()).CopyTo(host.bytes);
        return host;
    }
}

/// <summary>The two factors beside one product.</summary>
/// <param name="A">[ranks, inputs].</param>
/// <param name="B">scale · B: [outputs, ranks].</param>
internal sealed record TorchLoraFactors(Tensor A, Tensor B);
