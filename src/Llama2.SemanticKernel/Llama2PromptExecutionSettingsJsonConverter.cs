using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.SemanticKernel;

namespace Llama2.SemanticKernel;

/// <summary>Writes and reads the settings as Semantic Kernel's own ones, everything by the names of the settings.</summary>
internal sealed class Llama2PromptExecutionSettingsJsonConverter : JsonConverter<Llama2PromptExecutionSettings>
{
    public override Llama2PromptExecutionSettings? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        try
        {
            return Llama2PromptExecutionSettings.FromExecutionSettings(JsonSerializer.Deserialize(ref reader, Generic(options)));
        }
        catch (ArgumentException exception)
        {
            throw new JsonException(exception.Message, exception);
        }
    }

    public override void Write(Utf8JsonWriter writer, Llama2PromptExecutionSettings value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, value.ToGeneric(), Generic(options));

    private static JsonTypeInfo<PromptExecutionSettings> Generic(JsonSerializerOptions options) =>
        (JsonTypeInfo<PromptExecutionSettings>)options.GetTypeInfo(typeof(PromptExecutionSettings));
}
