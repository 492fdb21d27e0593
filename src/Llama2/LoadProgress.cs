namespace Llama2;

/// <summary>How far a load or a conversion is.</summary>
/// <param name="LoadedBytes">Bytes of tensors that are ready.</param>
/// <param name="TotalBytes">Bytes of all tensors.</param>
/// <param name="Tensor">The tensor that was read last.</param>
public readonly record struct LoadProgress(long LoadedBytes, long TotalBytes, string Tensor);
