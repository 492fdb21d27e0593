namespace Llama2;

/// <summary>How the rotary embedding reaches beyond the trained context.</summary>
/// <param name="Kind">The method.</param>
/// <param name="Factor">The stretch, at least 1.</param>
public sealed record RopeScaling(RopeScalingKind Kind, float Factor);

/// <summary>Methods of stretching the rotary embedding.</summary>
public enum RopeScalingKind
{
    /// <summary>Every position is divided by the factor.</summary>
    Linear,

    /// <summary>
    /// The base grows with the sequence once it is longer than the trained context ("dynamic NTK"). Tokens keep the angles of the pass that read
    /// them, so beyond the trained context, and only there, an answer depends on how its prompt was cut into passes, and on the prefix cache.
    /// </summary>
    Dynamic,
}
