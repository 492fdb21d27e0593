namespace Llama2;

/// <summary>Up to 32 rows in the order of a file, which become a stripe.</summary>
/// <param name="first">The first row.</param>
/// <param name="stride">Bytes from a row to the next.</param>
/// <param name="count">Rows, from 1 to 32.</param>
/// <param name="followed">Whether the rows of another stripe lie behind these, in memory that no cache holds.</param>
internal readonly unsafe struct FileRows(byte* first, nint stride, int count, bool followed = false)
{
    public nint Stride => stride;

    public int Count => count;

    /// <summary>Where a row begins.</summary>
    public byte* this[int row] => first + row * stride;

    /// <summary>Asks for a part of each row of the stripe behind, as the same part of these is packed.</summary>
    /// <param name="start">Bytes before the part.</param>
    /// <param name="bytes">Bytes of the part.</param>
    public void FetchNext(nint start, int bytes)
    {
        for (int row = FloatTiles.StripeRows; followed && row < 2 * FloatTiles.StripeRows; row++)
        {
            ReadAheads.Fetch(this[row] + start, bytes);
        }
    }
}
