using System.CommandLine;

namespace Llama2.Samples;

/// <summary>Where a sample's model runs. Not about the library; linked into each sample.</summary>
/// <remarks>There is something to choose where a sample is built with <c>-p:Torch=cpu</c> or <c>-p:Torch=cuda</c>: <c>SampleDevice.Torch.cs</c> then adds it.</remarks>
internal static partial class SampleDevice
{
    /// <summary>Adds the option <c>--device</c> to a command, if there is anything to choose.</summary>
    public static void AddTo(Command command) => AddOption(command);

    /// <summary>What the command line says about the options of the model, or <see langword="null"/>.</summary>
    public static Action<LlamaModelOptions>? Bind(ParseResult parse)
    {
        Action<LlamaModelOptions>? configure = null;
        BindOption(parse, ref configure);
        return configure;
    }

    static partial void AddOption(Command command);

    static partial void BindOption(ParseResult parse, ref Action<LlamaModelOptions>? configure);
}
