using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>32 rows of random weights, packed, and what they decode to.</summary>
internal sealed unsafe class PackedStripe : IDisposable
{
    private readonly AlignedMemory _memory;

    public PackedStripe(WeightFormat format, float[] weights, int columns)
        : this(format, Encode(format, weights, columns), weights.Length / columns, columns)
    {
    }

    public PackedStripe(WeightFormat format, byte[] encoded, int rows, int columns)
    {
        int rowBytes = (int)format.RowBytes(columns);
        Decoded = new float[rows][];
        for (int row = 0; row < rows; row++)
        {
            WeightCodec.Decode(format, encoded.AsSpan(row * rowBytes, rowBytes), Decoded[row] = new float[columns]);
        }

        _memory = new AlignedMemory(StripePacker.StripeBytes(format, columns));
        fixed (byte* from = encoded)
        {
            Ordinary = StripePacker.Pack(format, new FileRows(from, rowBytes, rows), columns, _memory.Pointer);
        }
    }

    public byte* Pointer => _memory.Pointer;

    public bool Ordinary { get; }

    public float[][] Decoded { get; }

    public static float[] Random(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
    }

    public void Dispose() => _memory.Dispose();

    private static byte[] Encode(WeightFormat format, float[] weights, int columns)
    {
        int rowBytes = (int)format.RowBytes(columns);
        byte[] encoded = new byte[weights.Length / columns * rowBytes];
        for (int row = 0; row < weights.Length / columns; row++)
        {
            KQuantizer.Encode(format, weights.AsSpan(row * columns, columns), encoded.AsSpan(row * rowBytes, rowBytes));
        }

        return encoded;
    }
}
