using Xunit;

namespace Llama2.Testing;

/// <summary>A fact that needs the shared test data and is skipped, with that reason, where it is missing.</summary>
public sealed class SharedDataFactAttribute : FactAttribute
{
    public SharedDataFactAttribute() => Skip = Reason;

    internal static string? Reason { get; } =
        TestData.Root is null ? "needs the shared test data: set LLAMA2_TEST_DATA or put it at ../shared/data" : null;
}

/// <summary>A theory that needs the shared test data and is skipped, with that reason, where it is missing.</summary>
public sealed class SharedDataTheoryAttribute : TheoryAttribute
{
    public SharedDataTheoryAttribute() => Skip = SharedDataFactAttribute.Reason;
}
