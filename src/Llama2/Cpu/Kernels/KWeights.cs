namespace Llama2;

/// <summary>What sets one K format apart from another, as constants of a type.</summary>
internal interface IKWeights
{
    /// <summary>Bits of a weight beyond four.</summary>
    static abstract int UpperBits { get; }

    /// <summary>Whether a group has a minimum beside its scale.</summary>
    static abstract bool HasMinima { get; }

    /// <summary>Groups of a superblock of 256 columns; each has a scale.</summary>
    static abstract int Groups { get; }

    /// <summary>Registers of nibbles of a group, 8 columns each.</summary>
    static abstract int NibbleLines { get; }
}

/// <summary>Q4_K: groups of 32 columns.</summary>
internal readonly struct FourBits : IKWeights
{
    public static int UpperBits => 0;

    public static bool HasMinima => true;

    public static int Groups => 8;

    public static int NibbleLines => 4;
}

/// <summary>Q5_K: groups of 32 columns.</summary>
internal readonly struct FiveBits : IKWeights
{
    public static int UpperBits => 1;

    public static bool HasMinima => true;

    public static int Groups => 8;

    public static int NibbleLines => 4;
}

/// <summary>Q6_K: groups of 16 columns.</summary>
internal readonly struct SixBits : IKWeights
{
    public static int UpperBits => 2;

    public static bool HasMinima => false;

    public static int Groups => 16;

    public static int NibbleLines => 2;
}
