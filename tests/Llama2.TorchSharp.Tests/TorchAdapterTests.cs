using Llama2.Testing;

namespace Llama2.TorchSharp.Tests;

public class TorchAdapterTests : AdapterContract
{
    protected override bool BatchIsExact => false;

    protected override LlamaBackend Load(Checkpoint checkpoint) => TestDevice.Load(checkpoint);
}
