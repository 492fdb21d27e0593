namespace Llama2;

/// <summary>Low-rank adapters (Hu et al. 2021): beside a frozen matrix W stands scale · B · A, and only A and B are trained.</summary>
/// <remarks>The defaults are those of the Azure ML fine-tuning pipelines; their scale of 16 is large, 1 to 2 is usual elsewhere.</remarks>
public sealed record LoraOptions
{
    /// <summary>Every projection of a block, by the names that <see cref="TargetModules"/> knows.</summary>
    public static readonly IReadOnlyList<string> AllModules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    /// <summary>Gets the rank r of an adapter, from 1 to 1024. The default is 8.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>Gets the number that is divided by the rank, or its root, to scale the adapter; above 0. The default is 128.</summary>
    public float Alpha { get; init; } = 128;

    /// <summary>Gets the share of an adapter's inputs that training drops, from 0 to below 1. The default is 0.</summary>
    public float Dropout { get; init; }

    /// <summary>Gets which projections of every block get an adapter. The default is q_proj and v_proj.</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = ["q_proj", "v_proj"];

    /// <summary>Gets a value indicating whether alpha is divided by √r instead of r (Kalajdzievski 2023). The default is <see langword="false"/>.</summary>
    public bool RankStabilized { get; init; }

    /// <summary>Gets the factor of an adapter's output: alpha ÷ r, or alpha ÷ √r where it is <see cref="RankStabilized"/>.</summary>
    public float Scale => Alpha / (RankStabilized ? MathF.Sqrt(Rank) : Rank);

    /// <summary>Checks every setting.</summary>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public void Validate()
    {
        Require(Rank is >= 1 and <= 1024, nameof(Rank), $"{Rank} is not from 1 to 1024");
        Require(Alpha > 0 && float.IsFinite(Alpha), nameof(Alpha), $"{Alpha} is not a number above 0");
        Require(Dropout is >= 0 and < 1, nameof(Dropout), $"{Dropout} is not from 0 to below 1");
        Require(TargetModules.Count > 0, nameof(TargetModules), "there is none");
        Require(TargetModules.Distinct().Count() == TargetModules.Count, nameof(TargetModules), "one is named twice");
        foreach (string module in TargetModules)
        {
            Require(AllModules.Contains(module), nameof(TargetModules), $"'{module}' is none of {string.Join(", ", AllModules)}");
        }

        static void Require(bool holds, string name, string problem)
        {
            if (!holds)
            {
                throw new ArgumentException($"{name}: {problem}.", name);
            }
        }
    }
}
