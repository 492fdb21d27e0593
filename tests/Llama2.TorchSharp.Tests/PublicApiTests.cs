using Llama2.Tests;

namespace Llama2.TorchSharp.Tests;

/// <summary>The public surface of the backend, as a text that a reviewer reads.</summary>
public sealed class PublicApiTests
{
    [Fact]
    public void PublicApi_Today_IsTheApprovedOne() =>
        PublicApiText.AssertApproved(typeof(TorchSharpExtensions).Assembly, "tests/Llama2.TorchSharp.Tests", "PublicApi.approved.txt");
}
