namespace Llama2;

/// <summary>A weight matrix of any format: [rows, columns], multiplied with many inputs at a time.</summary>
/// <remarks>
/// Immutable. Rows lie in memory of the matrix's own or in the mapped checkpoint. A stripe of rows is decoded once and then serves every
/// input of the batch; a plain single-precision matrix is used where it lies.
/// </remarks>
internal sealed unsafe class WeightMatrix : IDisposable
{
    /// <summary>Rows that are decoded together; a stripe is the unit of work of a thread.</summary>
    public const int StripeRows = 16;

    private readonly AlignedMemory? _owned;
    private readonly byte* _rows;
    private readonly int _rowBytes;

    /// <summary>A matrix over memory that the caller has filled, and which it owns from now on.</summary>
    public WeightMatrix(WeightFormat format, int rows, int columns, AlignedMemory memory)
        : this(format, rows, columns)
    {
        _owned = memory;
        _rows = memory.Pointer;
    }

    /// <summary>A matrix that stays in the mapped checkpoint.</summary>
    public WeightMatrix(WeightFormat format, int rows, int columns, MappedRegion region)
        : this(format, rows, columns)
        => _rows = region.File.Pointer(region.Offset, ByteSize);

    private WeightMatrix(WeightFormat format, int rows, int columns)
    {
        (Format, Rows, Columns) = (format, rows, columns);
        _rowBytes = checked((int)format.RowBytes(columns));
    }

    public WeightFormat Format { get; }

    public int Rows { get; }

    public int Columns { get; }

    public long ByteSize => (long)Rows * _rowBytes;

    /// <summary>Units of work of a multiplication.</summary>
    public int Stripes => (Rows + StripeRows - 1) / StripeRows;

    /// <summary>Floats that <see cref="MultiplyStripe"/> needs to decode into.</summary>
    public long ScratchFloats => Format == WeightFormat.F32 ? 0 : (long)StripeRows * Columns;

    /// <summary>Decodes one row.</summary>
    public void ReadRow(int row, Span<float> destination) =>
        WeightCodec.Decode(Format, new ReadOnlySpan<byte>(_rows + (long)row * _rowBytes, _rowBytes), destination);

    /// <summary>output[i, r] = Σ W[r, c] · inputs[i, c] for the rows r of one stripe.</summary>
    /// <param name="stripe">From 0 to <see cref="Stripes"/> − 1.</param>
    /// <param name="inputs">[inputCount, columns].</param>
    /// <param name="inputCount">Inputs of the batch.</param>
    /// <param name="output">[inputCount, rows].</param>
    /// <param name="scratch"><see cref="ScratchFloats"/> floats of the calling thread.</param>
    public void MultiplyStripe(int stripe, float* inputs, int inputCount, float* output, float* scratch)
    {
        int first = stripe * StripeRows, count = Math.Min(StripeRows, Rows - first);
        float* rows = scratch;
        if (Format == WeightFormat.F32)
        {
            rows = (float*)(_rows + (long)first * _rowBytes);
        }
        else
        {
            for (int row = 0; row < count; row++)
            {
                ReadRow(first + row, new Span<float>(scratch + (long)row * Columns, Columns));
            }
        }

        DotKernels.Multiply(rows, count, inputs, inputCount, Columns, output + first, Rows);
    }

    public void Dispose() => _owned?.Dispose();
}
