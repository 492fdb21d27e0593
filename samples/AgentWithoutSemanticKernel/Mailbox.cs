using System.ComponentModel;
using System.Text.Json.Serialization;

namespace Llama2.Samples;

/// <summary>What the model may call; names, descriptions and types are what it gets to see.</summary>
internal static class Mailbox
{
    [JsonConverter(typeof(JsonStringEnumConverter<Sender>))]
    public enum Sender
    {
        Anna,
        Tom,
    }

    [Description("Reads the newest message of a person.")]
    public static string ReadMessage([Description("Who wrote it.")] Sender from) => from switch
    {
        Sender.Anna => "I passed the exam and I am so happy!",
        _ => "I am furious that they lied to me again.",
    };
}
