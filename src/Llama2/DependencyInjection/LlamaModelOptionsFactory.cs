using Microsoft.Extensions.Options;

namespace Llama2;

/// <summary>Makes named options start from the ones without a name, which by themselves would hold for no named options at all.</summary>
internal sealed class LlamaModelOptionsFactory(
    IEnumerable<IConfigureOptions<LlamaModelOptions>> setups,
    IEnumerable<IPostConfigureOptions<LlamaModelOptions>> postConfigures,
    IEnumerable<IValidateOptions<LlamaModelOptions>> validations)
    : OptionsFactory<LlamaModelOptions>(setups, postConfigures, validations)
{
    private readonly IConfigureOptions<LlamaModelOptions>[] _setups = [.. setups];

    protected override LlamaModelOptions CreateInstance(string name)
    {
        var options = new LlamaModelOptions();
        if (name == Options.DefaultName)
        {
            return options;
        }

        foreach (IConfigureOptions<LlamaModelOptions> setup in _setups)
        {
            if (setup is ConfigureNamedOptions<LlamaModelOptions> { Name: null })
            {
                continue;                                     // acts on every name anyway, and must not add to a list twice
            }

            if (setup is IConfigureNamedOptions<LlamaModelOptions> named)
            {
                named.Configure(Options.DefaultName, options);
            }
            else
            {
                setup.Configure(options);
            }
        }

        return options;
    }
}
