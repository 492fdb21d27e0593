namespace Llama2.Tests;

/// <summary>Inputs of a product, random or given, as floats, as integers of 16 bits and, where the columns are whole blocks, as integers of 8.</summary>
internal sealed unsafe class RandomInputs : IDisposable
{
    private readonly AlignedMemory _memory;

    public RandomInputs(int count, int columns, int seed, int most = StripeKernels.MostInputs)
        : this(PackedStripe.Random(count * columns, seed), columns, most)
    {
    }

    public RandomInputs(int count, int columns, int seed, bool sumsAreHalves)
        : this(PackedStripe.Random(count * columns, seed), columns, sumsAreHalves, StripeKernels.MostInputs)
    {
    }

    public RandomInputs(ReadOnlySpan<float> values, int columns, int most = StripeKernels.MostInputs)
        : this(values, columns, StripeKernels.SumsAreHalves, most)
    {
    }

    private RandomInputs(ReadOnlySpan<float> values, int columns, bool sumsAreHalves, int most)
    {
        Tiles = new InputTiles(sumsAreHalves);
        Values = values.ToArray();
        _memory = new AlignedMemory(values.Length * sizeof(float));
        values.CopyTo(new Span<float>(_memory.Floats, values.Length));
        Tiles.Begin(_memory.Floats, values.Length / columns, columns, most);
        Tiles.BeginChunks();
        for (int input = 0; input < Tiles.Count; input++)
        {
            Tiles.FillChunks(input);
        }

        Tiles.BeginShorts();
        for (int tile = 0; tile < Tiles.Tiling.Tiles; tile++)
        {
            Tiles.FillShorts(tile);
        }

        if (columns % ByteTile.BlockLength == 0)
        {
            Tiles.BeginBytes();
            for (int tile = 0; tile < Tiles.Tiling.Tiles; tile++)
            {
                Tiles.FillBytes(tile);
            }
        }
    }

    public float[] Values { get; }

    public InputTiles Tiles { get; }

    public void Dispose()
    {
        Tiles.Dispose();
        _memory.Dispose();
    }
}
