using System.Reflection;

namespace Llama2.SemanticKernel.Tests;

internal static class SettingProperty
{
    /// <summary>
    /// The property of the connector's settings: the engine's own name for it, but for the forms of an answer, which are one property of the engine and three here.
    /// </summary>
    public static PropertyInfo? Of(GenerationSetting setting) => typeof(Llama2PromptExecutionSettings).GetProperty(
        setting.Property != nameof(GenerationOptions.Constraint) ? setting.Property
        : string.Concat(setting.Name.Split('_').Select(word => char.ToUpperInvariant(word[0]) + word[1..])));
}
