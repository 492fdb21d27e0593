using Llama2.Tests;

namespace Llama2.SemanticKernel.Tests;

/// <summary>The public surface of the connector, as a text that a reviewer reads.</summary>
public sealed class PublicApiTests
{
    [Fact]
    public void PublicApi_Today_IsTheApprovedOne() =>
        PublicApiText.AssertApproved(typeof(Llama2PromptExecutionSettings).Assembly, "tests/Llama2.SemanticKernel.Tests", "PublicApi.approved.txt");
}
