namespace Llama2.Tests;

/// <summary>Tests that measure the whole process, or listen to its instruments, run while no other test does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class RunsAlone
{
    public const string Name = "runs alone";
}
