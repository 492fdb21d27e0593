using System.CommandLine;
using Llama2.TorchSharp;

namespace Llama2.Cli;

/// <summary>The option <c>--device</c>, where the program is built with TorchSharp.</summary>
internal sealed partial class ModelArguments
{
    private readonly Option<string?> _device = new("--device")
    {
        Description = "Run on TorchSharp: on a GPU, or on the CPU through libtorch (default: our own engine on the CPU)",
        HelpName = "cuda|cuda:N|mps|cpu",
    };

    private const int TokensOfAGpu = 2048;                               // a pass of the CPU's size would leave it idle

    partial void AddDevice(Command command) => command.Add(_device);

    partial void BindDevice(ParseResult parse, LlamaModelOptions options)
    {
        if (parse.GetValue(_device) is { } device)
        {
            TorchDevice parsed = ParseDevice(_device.Name, device);
            options.UseTorchSharp(parsed.Name).BatchTokens = parsed.IsCpu ? options.BatchTokens : TokensOfAGpu;
        }
    }

    /// <summary>A device by its name; an unknown one is wrong usage.</summary>
    public static TorchDevice ParseDevice(string option, string device)
    {
        try
        {
            return TorchDevice.Parse(device);
        }
        catch (ArgumentException wrong)
        {
            throw new UsageException($"{option}: {CommandLine.Describe(wrong)}");
        }
    }
}
