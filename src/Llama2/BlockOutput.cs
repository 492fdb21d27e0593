namespace Llama2;

/// <summary>Takes the residual stream that a block of the model leaves: what two backends are compared by.</summary>
/// <param name="block">The block, from 0.</param>
/// <param name="hidden">[tokens, hidden], valid during the call.</param>
internal delegate void BlockOutput(int block, ReadOnlySpan<float> hidden);
