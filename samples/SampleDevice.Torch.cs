using System.CommandLine;
using Llama2.TorchSharp;

namespace Llama2.Samples;

internal static partial class SampleDevice
{
    private static readonly Option<string?> _device = new("--device")
    {
        Description = "Run on TorchSharp (default: the library's own engine on the CPU)",
        HelpName = "cuda|cuda:N|mps|cpu",
    };

    static partial void AddOption(Command command) => command.Options.Add(_device);

    static partial void BindOption(ParseResult parse, ref Action<LlamaModelOptions>? configure)
    {
        if (parse.GetValue(_device) is { } device)
        {
            configure = options => options.UseTorchSharp(device);
        }
    }
}
