using System.ComponentModel.DataAnnotations;

namespace Llama2.Samples;

/// <summary>What the model has to answer with; the names, types and bounds become the schema that its tokens are held to.</summary>
internal sealed record Note(
    [property: AllowedValues("sadness", "joy", "love", "anger", "fear", "surprise")] string Emotion,
    [property: Range(1, 5)] int Urgency);
