namespace Llama2;

/// <summary>How inputs are shared out to tiles: as equally as can be, since small tiles are hardly quicker.</summary>
internal readonly struct Tiling
{
    private readonly int _inputs;

    /// <param name="inputs">Inputs.</param>
    /// <param name="most">The most inputs of a tile.</param>
    public Tiling(int inputs, int most)
    {
        _inputs = inputs;
        Tiles = (inputs + most - 1) / most;
        Rows = Tiles == 0 ? 0 : (inputs + Tiles - 1) / Tiles;
    }

    public int Tiles { get; }

    /// <summary>Inputs of every tile but the last, which may have fewer.</summary>
    public int Rows { get; }

    /// <summary>Inputs of a tile.</summary>
    public int RowsOf(int tile) => Math.Min(Rows, _inputs - tile * Rows);
}
