namespace Llama2.Training;

/// <summary>Rows that are not trained, kept as F32, BF16 or Q8_0; several tensors may stand one below another.</summary>
internal sealed unsafe class FrozenMatrix : IDisposable
{
    private const int StripeFloats = 1 << 21;            // 8 MiB of decoded rows at a time
    private readonly WeightFormat _format;
    private readonly int _rowBytes;
    private readonly AlignedMemory _rows;
    private readonly ScratchMemory _scratch;

    /// <param name="tensors">The tensors, of the same width.</param>
    /// <param name="format">How to keep them.</param>
    /// <param name="scratch">Where rows are decoded to; shared with other matrices, which are used one after another.</param>
    public FrozenMatrix(IReadOnlyList<CheckpointTensor> tensors, WeightFormat format, ScratchMemory scratch)
    {
        Columns = tensors[0].Columns;
        Rows = tensors.Sum(tensor => tensor.Rows);
        (_format, _scratch) = (format, scratch);
        _rowBytes = checked((int)format.RowBytes(Columns));
        _rows = new AlignedMemory((long)Rows * _rowBytes);
        StripeRows = format == WeightFormat.F32 ? Rows : Math.Clamp(StripeFloats / Columns, 1, Rows);
        float[] decoded = new float[Columns];
        int at = 0;
        foreach (CheckpointTensor tensor in tensors)
        {
            for (int row = 0; row < tensor.Rows; row++, at++)
            {
                if (tensor.Format == format)
                {
                    tensor.ReadRow(row, Stored(at));
                    continue;
                }

                tensor.ReadRow(row, decoded);
                WeightCodec.Encode(format, decoded, Stored(at));
            }
        }
    }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>How many rows <see cref="Stripe"/> decodes at most.</summary>
    public int StripeRows { get; }

    /// <summary>Rows as floats, valid until the next stripe of any matrix with the same scratch.</summary>
    public float* Stripe(WorkerGroup workers, int row, int count)
    {
        if (_format == WeightFormat.F32)
        {
            return (float*)_rows.Pointer + (nint)row * Columns;
        }

        float* decoded = _scratch.Reserve((long)count * Columns);
        workers.ForRows(count, 16, (first, rows) =>
        {
            for (int i = first; i < first + rows; i++)
            {
                WeightCodec.Decode(_format, Stored(row + i), new Span<float>(decoded + (nint)i * Columns, Columns));
            }
        });
        return decoded;
    }

    public void ReadRow(int row, Span<float> destination) => WeightCodec.Decode(_format, Stored(row), destination);

    public void Dispose() => _rows.Dispose();

    private Span<byte> Stored(int row) => new(_rows.Pointer + (nint)row * _rowBytes, _rowBytes);
}

/// <summary>Room for decoded rows that grows with the widest matrix.</summary>
internal sealed unsafe class ScratchMemory : IDisposable
{
    private AlignedMemory _memory = new(0);

    public float* Reserve(long floats)
    {
        AlignedMemory.Reserve(ref _memory, floats * sizeof(float));
        return _memory.Floats;
    }

    public void Dispose() => _memory.Dispose();
}
