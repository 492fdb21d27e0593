using Microsoft.SemanticKernel;

namespace Llama2.SemanticKernel;

internal static class PromptExecutionSettingsReading
{
    /// <summary>Gives settings without types ours. Types of others stay: they may have a say in how a request is prepared.</summary>
    public static PromptExecutionSettings? Typed(this PromptExecutionSettings? settings) =>
        settings?.GetType() == typeof(PromptExecutionSettings) ? Llama2PromptExecutionSettings.FromExecutionSettings(settings) : settings;
}
