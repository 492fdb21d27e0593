namespace Llama2.Tests;

public unsafe class InputTilesTests
{
    [Theory]
    [InlineData(1, false)]
    [InlineData(6, true)]
    [InlineData(8, false)]
    [InlineData(13, true)]
    public void Fill_RandomInputs_AreInTheKernelsOrder(int count, bool halves)
    {
        const int Columns = 64;
        using var random = new RandomInputs(count, Columns, 1, halves);
        (float[] inputs, InputTiles tiles) = (random.Values, random.Tiles);
        Assert.Equal((count + 7) / 8, tiles.Tiling.Tiles);
        for (int input = 0; input < count; input++)
        {
            int tile = input / tiles.Tiling.Rows, row = input % tiles.Tiling.Rows, rows = tiles.Tiling.RowsOf(tile);
            ByteTile bytes = tiles.Bytes(tile);
            for (int block = 0; block < 2; block++)
            {
                float[] values = inputs[(input * Columns + block * 32)..(input * Columns + block * 32 + 32)];
                float scale = bytes.Scales[block * rows + row];
                Assert.Equal(values.Max(MathF.Abs) / 127, scale);
                int[] sums = [0, 0], halfSums = [0, 0, 0, 0];
                for (int column = 0; column < 32; column++)
                {
                    sbyte value = bytes.Values[((block * 8 + column / 4) * rows + row) * 4 + column % 4];
                    Assert.Equal(values[column], value * scale, scale * 0.501f);
                    Assert.Equal(values[column], tiles.Chunk(0)[input * InputTiles.ChunkColumns + block * 32 + column]);
                    sums[column / 2 % 2] += value;
                    halfSums[column / 16 * 2 + column / 2 % 2] += value;
                }

                AssertStarts(8, sums, bytes.Starts(8)[block * rows + row]);
                AssertStarts(16, sums, bytes.Starts(16)[block * rows + row]);
                AssertStarts(32, halfSums[..2], bytes.Starts(32)[2 * block * rows + row]);
                AssertStarts(32, halfSums[2..], bytes.Starts(32)[(2 * block + 1) * rows + row]);
                Assert.Equal(-128 * sums.Sum(), bytes.Starts(128)[block * rows + row]);
                Assert.Equal(scale * sums.Sum(), bytes.Sums[block * rows + row]);
            }
        }

        void AssertStarts(int offset, int[] sums, int start)
        {
            int[] expected = halves ? [-offset * sums[0], -offset * sums[1]] : [-offset * sums.Sum()];
            Assert.Equal(expected, halves ? [(short)start, start >> 16] : [start]);
        }
    }

    [Theory]
    [InlineData(1, 64)]
    [InlineData(6, 40)]
    [InlineData(13, 333)]
    public void FillShorts_RandomInputs_AreInTheKernelsOrder(int count, int columns)
    {
        using var random = new RandomInputs(count, columns, 1);
        InputTiles tiles = random.Tiles;
        for (int input = 0; input < count; input++)
        {
            int tile = input / tiles.Tiling.Rows, row = input % tiles.Tiling.Rows, rows = tiles.Tiling.RowsOf(tile);
            ShortTile shorts = tiles.Shorts(tile);
            for (int block = 0; block < ShortTile.BlocksOf(columns); block++)
            {
                float[] values = [.. random.Values.Skip(input * columns + block * 32).Take(Math.Min(32, columns - block * 32))];
                float scale = shorts.Scales[block * rows + row];
                Assert.Equal(Math.Max(values.Max(MathF.Abs) / ShortTile.Largest, Math.Sqrt(values.Sum(value => (double)value * value)) / ShortTile.Most), scale, scale * 1e-6);
                long squares = 0;
                for (int column = 0; column < 32; column++)
                {
                    short value = shorts.Values[((block * 16 + column / 2) * rows + row) * 2 + column % 2];
                    Assert.Equal(values.ElementAtOrDefault(column), value * scale, scale * 0.505f);
                    squares += value * value;
                }

                Assert.True(squares * Math.Pow(ShortTile.MostOfWeights + 3, 2) < Math.Pow(2, 62), "Sums of products would not fit.");
            }
        }
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(1e-42f)]
    public void ToBytes_TooSmallForAScale_IsZeros(float value)
    {
        float[] inputs = [.. Enumerable.Repeat(value, 32)];
        using var given = new RandomInputs(inputs, 32);
        Assert.All(Enumerable.Range(0, 32), i => Assert.Equal(0, given.Tiles.Bytes(0).Values[i]));
        Assert.Equal(0, given.Tiles.Bytes(0).Starts(8)[0]);
        Assert.All(Enumerable.Range(0, 32), i => Assert.Equal(0, given.Tiles.Shorts(0).Values[i]));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void ToBytes_NotFinite_ShowsInTheScale(float value)
    {
        float[] inputs = new float[32];
        inputs[9] = value;
        using var given = new RandomInputs(inputs, 32);
        Assert.False(float.IsFinite(given.Tiles.Bytes(0).Scales[0]));
        Assert.False(float.IsFinite(given.Tiles.Shorts(0).Scales[0]));
    }
}
