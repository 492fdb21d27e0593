namespace Llama2;

/// <summary>How inputs are shared out to tiles: as equally as can be, since small tiles are hardly quicker.</summary>
/// <param name="Inputs">Inputs.</param>
/// <param name="Most">The most inputs of a tile.</param>
internal readonly record struct Tiling(int Inputs, int Most)
{
    public int Tiles { get; } = (Inputs + Most - 1) / Most;

    /// <summary>Inputs of every tile but the last, which may have fewer.</summary>
    public int Rows { get; } = Inputs == 0 ? 0 : (Inputs + (Inputs + Most - 1) / Most - 1) / ((Inputs + Most - 1) / Most);

    /// <summary>Inputs of a tile.</summary>
    public int RowsOf(int tile) => Math.Min(Rows, Inputs - tile * Rows);
}
