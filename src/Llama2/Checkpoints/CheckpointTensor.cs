namespace Llama2;

/// <summary>One tensor of a checkpoint as a matrix of rows; a vector is a matrix of one row.</summary>
/// <remarks>
/// Rows of query and key projections are in Hugging Face's rotary order (the first half of a head turns with the second half), whatever
/// the file's own order. Instances are immutable and thread-safe, and valid while their checkpoint is open.
/// </remarks>
public abstract class CheckpointTensor
{
    /// <summary>Initializes a new instance of the <see cref="CheckpointTensor"/> class.</summary>
    /// <param name="name">The Hugging Face name, such as <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
    /// <param name="format">How the rows are stored.</param>
    /// <param name="rows">The number of rows (outputs).</param>
    /// <param name="columns">The number of columns (inputs).</param>
    /// <exception cref="ArgumentOutOfRangeException">A tensor has at least one row and one column.</exception>
    /// <exception cref="ArgumentException">A row is no multiple of the format's block.</exception>
    protected CheckpointTensor(string name, WeightFormat format, int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        (Name, Format, Rows, Columns) = (name, format, rows, columns);
        RowBytes = checked((int)format.RowBytes(columns));
    }

    /// <summary>Gets the Hugging Face name.</summary>
    public string Name { get; }

    /// <summary>Gets how the rows are stored.</summary>
    public WeightFormat Format { get; }

    /// <summary>Gets the number of rows.</summary>
    public int Rows { get; }

    /// <summary>Gets the number of columns.</summary>
    public int Columns { get; }

    /// <summary>Gets the bytes of one row.</summary>
    public int RowBytes { get; }

    /// <summary>Gets the bytes of the whole tensor.</summary>
    public long ByteSize => (long)Rows * RowBytes;

    /// <summary>Gets where all rows lie together in a mapped file, or <see langword="null"/> where they do not.</summary>
    internal virtual MappedRegion? Region => null;

    /// <summary>Gets the format that a model keeps the rows in where nobody asks for another.</summary>
    internal virtual WeightFormat HeldFormat => Format;

    /// <summary>Says that the rows have been read and will not be soon: mapped pages need not stay in this process's memory.</summary>
    internal virtual void ReleasePages()
    {
    }

    /// <summary>Copies one row as stored.</summary>
    /// <param name="row">The row, from 0.</param>
    /// <param name="destination">At least <see cref="RowBytes"/> bytes.</param>
    public abstract void ReadRow(int row, Span<byte> destination);
}

/// <summary>A place in a mapped file.</summary>
/// <param name="File">The file.</param>
/// <param name="Offset">Where the first row begins.</param>
/// <param name="InterleavedHeadSize">See <see cref="MappedTensor"/>.</param>
internal readonly record struct MappedRegion(MappedFile File, long Offset, int InterleavedHeadSize)
{
    /// <summary>Where a row begins.</summary>
    /// <param name="row">The row, from 0, in Hugging Face's order.</param>
    /// <param name="rowBytes">Bytes of a row.</param>
    public long OffsetOf(int row, int rowBytes) =>
        Offset + (long)RotaryOrder.StoredRow(row, InterleavedHeadSize) * rowBytes;
}

/// <summary>A tensor that lies in a mapped file.</summary>
internal sealed class MappedTensor : CheckpointTensor
{
    private readonly MappedRegion _region;

    /// <param name="name">The Hugging Face name.</param>
    /// <param name="format">How the rows are stored.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="columns">The number of columns.</param>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where the first row begins.</param>
    /// <param name="interleavedHeadSize">
    /// 0, or the size of a head whose rows stand in Meta's rotary order (2i turns with 2i + 1) and are to be read in Hugging Face's
    /// (i turns with i + half).
    /// </param>
    public MappedTensor(string name, WeightFormat format, int rows, int columns, MappedFile file, long offset, int interleavedHeadSize = 0)
        : base(name, format, rows, columns)
    {
        file.Span(offset, 0);
        if (ByteSize > file.Length - offset)
        {
            throw new CheckpointException(file.Path, $"tensor '{name}'", $"{file.Length - offset:N0} bytes behind its offset", $"{ByteSize:N0}");
        }

        _region = new(file, offset, interleavedHeadSize);
    }

    internal override MappedRegion? Region => _region;

    internal override unsafe void ReleasePages() => SystemPages.Release(_region.File.Pointer(_region.Offset, ByteSize), ByteSize);

    public override void ReadRow(int row, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
        _region.File.Span(_region.OffsetOf(row, RowBytes), RowBytes).CopyTo(destination);
    }
}
