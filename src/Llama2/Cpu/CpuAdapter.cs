namespace Llama2;

/// <summary>An adapter's numbers in the CPU's memory, by the matrices that they stand beside.</summary>
internal sealed unsafe class CpuAdapter : BackendAdapter
{
    private readonly CpuWeights _weights;
    private readonly Dictionary<WeightMatrix, CpuLoraFactors> _factors = [];
    private readonly AlignedMemory _memory;
    private bool _disposed;

    /// <param name="weights">The weights of the backend.</param>
    /// <param name="adapter">An adapter of their shape; its numbers are copied.</param>
    public CpuAdapter(CpuWeights weights, LoraAdapter adapter)
    {
        (_weights, Rank) = (weights, adapter.Options.Rank);
        _memory = new AlignedMemory(adapter.ByteSize);
        float* next = _memory.Floats;
        foreach (LoraFactors factors in adapter.Factors)
        {
            float* a = next, b = a + (nint)factors.A.Rows * factors.A.Columns;
            factors.A.ReadAll().CopyTo(new Span<float>(a, factors.A.Rows * factors.A.Columns));
            CopyTransposed(factors.B.ReadAll(), factors.B.Rows, adapter.Options.Scale, b);
            _factors.Add(weights[factors.Weight], new CpuLoraFactors(a, b));
            next = b + (nint)factors.B.Rows * factors.B.Columns;
        }
    }

    public int Rank { get; }

    public override long ByteSize => _memory.Bytes;

    /// <summary>Whether the adapter was made for these weights and is still there.</summary>
    public bool Fits(CpuWeights weights) => ReferenceEquals(_weights, weights) && !_disposed;

    /// <summary>What stands beside a matrix, if anything does.</summary>
    public bool TryGet(WeightMatrix matrix, out CpuLoraFactors factors) => _factors.TryGetValue(matrix, out factors);

    protected override void Dispose(bool disposing)
    {
        _disposed = true;
        _memory.Dispose();
        base.Dispose(disposing);
    }

    private void CopyTransposed(float[] b, int outputs, float scale, float* transposed)
    {
        for (int output = 0; output < outputs; output++)
        {
            for (int i = 0; i < Rank; i++)
            {
                transposed[(nint)i * outputs + output] = scale * b[output * Rank + i];
            }
        }
    }
}

/// <summary>The two factors beside one matrix.</summary>
internal readonly unsafe struct CpuLoraFactors(float* a, float* b)
{
    public float* A => a;                                                // [rank, inputs]

    public float* B => b;                                                // scale · Bᵀ: [rank, outputs], so that a stripe of outputs lies together
}
