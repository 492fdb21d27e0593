namespace Llama2.DemoModel;

/// <summary>Somebody who talks or is talked about.</summary>
/// <param name="Name">The name before the colon.</param>
/// <param name="Third">The forms for a sentence about that person; without a known pronoun they repeat the name.</param>
internal sealed record Speaker(string Name, Person Third);
